"""Names of software and protocols: a question that names one is not answered by a page that never mentions it."""

from __future__ import annotations

from functools import cache
from typing import Final

from sysop.knowledge.retrieval.words import stem

_NAMES: Final = """
activemq aerospike airflow akka alertmanager alloydb ambassador ansible apache arangodb argocd artifactory aurora aws
azure bamboo bazel bigquery bitbucket buildbot buildkite calico cassandra celery centos ceph cilium circleci
clickhouse cloudflare cloudfront cloudwatch cockroach cockroachdb confluence consul containerd coredns couchbase
couchdb crossplane dagster datadog debezium debian dgraph dns docker druid dynamodb dynatrace ecs eks elastic
elasticsearch elk envoy etcd falco fastly filebeat flannel flink fluentbit fluentd gce gcp gerrit git github gitlab
gke glusterfs gradle grafana graphite graylog gunicorn hadoop haproxy harbor hazelcast hbase hdfs helm heroku hive
icinga imap influx influxdb iptables istio jaeger jboss jenkins jira kafka karpenter keda kerberos keycloak kibana
kong kubelet kubernetes kustomize ldap linkerd logstash loki longhorn mariadb maven memcached metallb mimir minio
mongo mongodb mssql mysql nagios nats neo4j netapp newrelic nexus nfs nginx nomad ntp opensearch openshift openstack
opentelemetry oracle packer pagerduty patroni percona pgbouncer php podman portworx postfix postgres postgresql
prometheus pulsar puppet rabbitmq rails rancher redis redshift rhel rook rsync s3 salesforce samba sap sentry sftp
sidekiq slack smtp snowflake solaris solr sonarqube spark spinnaker splunk sqs squid ssh supabase sybase teams tekton
terraform thanos tidb tomcat traefik travis trino ubuntu unicorn vagrant varnish vault vcenter velero vitess vmware
vpn weblogic websphere windows wireguard wordpress yarn zabbix zookeeper
"""


@cache
def products() -> frozenset[str]:
    """Return the stems of the names that are known; a name that is also an everyday word is not among them."""
    return frozenset(map(stem, _NAMES.split()))
