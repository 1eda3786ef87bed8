"""What people and pages call the same thing: words of operations, to widen the search for a question.

People say that the box ran out of RAM; the page speaks of a node and its memory. A line is a group of words or short
phrases, in small letters, with its weight in brackets where that is not the usual one of its table: (1) the same
thing, (0.6) near, (0.3) related. Words with many meanings stand in phrases only. Search compares stems, so each word
stands in one form, and identifiers in their parts: `max connections` also finds `max_connections`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

GRADES: Final = (1.0, 0.6, 0.3)
"""The weights there are: the same thing, near, related."""

_LINE: Final = re.compile(r"(?P<words>[^>()]+?)(?: -> (?P<to>[^>()]+?))?(?: \((?P<grade>[0-9.]+)\))?")


@dataclass(frozen=True, slots=True)
class Group:
    """Words that lead to others. With `both` they lead to each other and `to` is empty."""

    words: tuple[str, ...]
    to: tuple[str, ...]
    weight: float
    both: bool


def parse(line: str, usual: float) -> Group:
    """Read one line: `memory, ram` or `nic, eth0 -> network interface (0.3)`. Raises ValueError naming the line."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"not a group of words: {line!r}; write 'a, b' or 'a, b -> c', then a weight like '(0.3)'")
    words, to = _list(found["words"]), _list(found["to"] or "")
    weight = float(found["grade"] or usual)
    if weight not in GRADES or not all([*words, *to]) or (not to and len(words) < 2):
        raise ValueError(f"not a group of words: {line!r}; it needs two words and one of the weights 1, 0.6, 0.3")
    return Group(words, to, weight, not to)


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",")) if text else ()


def lines(table: str) -> tuple[str, ...]:
    """Return the groups of a table as they are written, without its headings and empty lines."""
    return tuple(line for line in table.splitlines() if line and not line.startswith("#"))


ALIKE: Final = """
# machines
memory, ram, mem
swap, swap space
out of memory, oom, oomkilled, oom killer, oom kill
cpu, processor
cpu usage, cpu utilisation, cpu utilization, cpu load (0.6)
load average, system load, loadavg, cpu saturation (0.6)
throttling, cpu throttling, cfs quota (0.6)
kernel panic, kernel crash, kernel oops (0.6)
reboot, power cycle, restart host (0.6)
virtual machine, vm
hypervisor, vmware, kvm, proxmox (0.3)
operating system, linux (0.3)
systemd, systemd unit, systemd service (0.6)
file descriptor, fd, open files, nofile
clock, ntp, chrony, time sync, timesyncd (0.6)
clock skew, clock drift, time drift, clock offset, time offset
conntrack, connection tracking
network interface, nic
bond, link aggregation, lacp (0.6)
temperature, overheating, thermal (0.6)
power supply, psu
bare metal, physical server, hardware (0.3)
ipmi, bmc, idrac, ilo (0.6)
ecc, edac, memory error (0.6)
package, apt, yum, dnf, rpm (0.3)

# disks and files
disk, drive, hard drive
ssd, nvme (0.6)
filesystem, file system
disk space, storage space, free space
out of space, disk full, no space left
inode, out of inodes
read only filesystem, remounted read only, readonly filesystem
disk usage, space usage, disk utilisation (0.6)
disk io, io wait, iowait, disk saturation (0.6)
iops, disk throughput (0.6)
smart, smartctl, disk health (0.6)
raid, mdadm, raid array, md array
zfs, zpool
lvm, logical volume, volume group (0.6)
nfs, network file system
ceph, osd, rados (0.6)
placement group, pg inactive, pg degraded (0.6)
scrub, deep scrub
object storage, s3, minio, blob storage (0.6)
persistent volume, pv
persistent volume claim, pvc, volume claim
storage class, provisioner, csi, csi driver (0.6)
snapshot, point in time (0.3)
mount, failedmount (0.6)
temporary files, tmp (0.6)
log rotation, logrotate, rotate logs

# Kubernetes
kubernetes, k8s, kube
kubernetes api, api server, apiserver, kube apiserver
control plane, master node (0.6)
worker node, kubelet (0.3)
controller manager, kube controller manager
scheduler, kube scheduler
kube proxy, kubeproxy
kube state metrics, ksm
crash loop, crashloop, crashloopbackoff, crash loop backoff
image pull, imagepullbackoff, errimagepull, pull image
unschedulable, failedscheduling, not scheduled, pending pod (0.6)
container waiting, containercreating, createcontainererror (0.6)
config map, configmap, cm
daemonset, daemon set, ds
statefulset, stateful set, sts
deployment, rollout, release (0.6)
replica set, replicaset
hpa, horizontal pod autoscaler, autoscaler, autoscaling (0.6)
cluster autoscaler, karpenter, node autoscaling (0.6)
pod disruption budget, pdb
cronjob, cron job
namespace, ns
resource quota, resourcequota, quota (0.6)
requests and limits, resource requests, resource limits (0.6)
liveness probe, readiness probe, health probe, startup probe (0.6)
taint, toleration, node affinity (0.3)
custom resource, crd, custom resource definition
admission webhook, validating webhook, mutating webhook (0.6)
cni, calico, cilium, flannel (0.6)
rbac, rolebinding, clusterrole (0.6)
helm, helm chart, helm release (0.6)
cordon, drain, uncordon (0.6)
node not ready, notready, nodenotready
image registry, container registry, docker registry (0.6)
container, docker, containerd (0.3)
openshift, ocp
service mesh, istio, linkerd, sidecar (0.6)

# etcd and other quorums
quorum, raft, consensus (0.6)
no leader, lost leader, leaderless, without leader
leader election, leader change
fsync, wal fsync, disk sync (0.6)
defragmentation, defrag
split brain, network partition, partitioned (0.6)
vault, secret store (0.3)

# watching
prometheus, prom
alertmanager, alert manager
dead man's switch, watchdog, heartbeat (0.6)
scrape target, exporter (0.3)
recording rule, rule evaluation, alerting rule (0.6)
time series, series, cardinality (0.6)
remote write, remote storage (0.6)
tsdb, time series database
grafana, dashboard (0.6)
silence, mute
inhibit, inhibitor (0.6)
error budget, slo, burn rate, slo burn (0.6)
blackbox, black box, probe (0.6)
loki, promtail, fluentd (0.3)
traces, jaeger, opentelemetry, otel (0.3)

# networks
dns, name resolution, domain name system
coredns, kube dns
nxdomain, servfail, no such host, cannot resolve
tls, ssl
certificate, cert, x509
expired, expiry
renew, reissue (0.6)
cert manager, certmanager, acme, letsencrypt, let's encrypt (0.6)
certificate authority, ca, root ca, ca bundle (0.6)
handshake, tls handshake, handshake failure (0.6)
load balancer, lb, haproxy, elb, loadbalancer (0.6)
ingress, ingress controller, ingress nginx (0.6)
nginx, reverse proxy, envoy, traefik (0.3)
upstream, backend (0.6)
bad gateway, 502 (0.6)
service unavailable, 503 (0.6)
gateway timeout, 504 (0.6)
5xx, server error, http errors, internal server error (0.6)
4xx, client error
packet loss, packet drop, dropped packets
retransmit, retransmission, tcp retransmits
bandwidth, network throughput, network traffic (0.6)
mtu, fragmentation needed, jumbo frames (0.6)
firewall, iptables, nftables, security group (0.6)
network policy, networkpolicy, netpol
vpn, wireguard, openvpn, ipsec, tunnel (0.6)
bgp, peering, bgp session (0.6)
dhcp, ip lease, address pool (0.6)
ddos, denial of service, flood attack
rate limit, ratelimited, too many requests
cdn, edge cache, cloudfront, cloudflare (0.6)
keepalived, vrrp, virtual ip, vip (0.6)
ephemeral port, port exhaustion, snat (0.6)

# databases
database, db
postgresql, postgres, psql
mysql, mariadb
mongodb, mongo
elasticsearch, opensearch
sql server, mssql
cassandra, scylla (0.6)
replication, replica sync (0.6)
replication lag, replica lag, replication delay, standby lag, seconds behind
primary, master, writer (0.6)
standby, secondary, slave, follower (0.6)
failover, fail over, switchover, promotion (0.6)
replication slot, logical slot (0.6)
connection pool, pgbouncer, pooler, pool exhausted (0.6)
too many connections, connection limit, max connections, connections exhausted
too many clients, remaining connection slots
slow query, long running query
long transaction, idle in transaction, open transaction (0.6)
deadlock, lock contention, lock wait, blocked queries (0.6)
vacuum, autovacuum, bloat (0.6)
wraparound, transaction id (0.6)
wal, write ahead log, xlog
binlog, binary log
innodb, buffer pool (0.3)
cache hit ratio, hit rate, cache misses (0.6)
backup, database dump (0.6)
restore, recover from backup, pitr (0.6)
schema migration, migration, alter table (0.6)
corruption, checksum failure
redis, valkey
maxmemory, max memory, eviction policy (0.6)
rdb, aof, bgsave (0.6)
redis sentinel, sentinel (0.6)
shard, unassigned shards (0.3)
oplog, replica set member (0.3)

# queues
queue, backlog (0.6)
message queue, message broker, broker (0.6)
kafka, redpanda (0.6)
consumer lag, consumer group lag, offset lag
under replicated, underreplicated, under replicated partitions
offline partition, leaderless partition (0.6)
in sync replica, isr
rabbitmq, rabbit, amqp
dead letter, dlq, dead letter queue
unacked, unacknowledged, messages unacknowledged
consumer, subscriber
producer, publisher (0.6)
flow control, backpressure, memory alarm (0.6)
celery, sidekiq, background jobs (0.6)

# building and shipping
ci, continuous integration
build, pipeline, ci job, workflow run (0.6)
runner, build agent, executor, jenkins agent (0.6)
jenkins, ci server (0.6)
gitlab, gitaly (0.3)
github actions, gha
argo cd, argocd, gitops (0.6)
out of sync, outofsync, config drift, configuration drift (0.6)
rollback, roll back, revert
canary, progressive delivery, blue green (0.6)
flaky, flaky test, intermittent failure (0.6)
artifact, artefact, build output (0.6)
merge request, pull request, mr
terraform, opentofu, infrastructure as code (0.6)
state lock, terraform lock, lock file (0.3)
feature flag, feature toggle, kill switch (0.6)
secret, credential, creds (0.6)
api key, access token, bearer token (0.6)

# models and LLM services
gpu, graphics card, cuda, nvidia (0.6)
gpu memory, vram, cuda oom (0.6)
xid error, gpu fell off, gpu ecc (0.6)
nccl, allreduce, collective timeout (0.6)
training, training run, training job (0.6)
loss spike, nan loss, loss diverged, divergence (0.6)
inference, model serving, model server, prediction service (0.6)
model drift, data drift, feature drift, concept drift
feature store, stale features, feature freshness (0.6)
training data, dataset (0.6)
llm, language model, large language model
ttft, first token, first token latency
tokens per second, token throughput, generation speed
context window, context length, prompt too long (0.6)
kv cache, cache usage (0.3)
hallucination, made up answers, wrong answers (0.6)
prompt injection, jailbreak (0.6)
embedding, vector store, vector database (0.6)
retrieval, rag (0.6)
llm provider, model provider, openai, anthropic (0.6)
token usage, token budget, llm cost (0.6)
guardrail, content filter, moderation (0.6)
vllm, triton, tgi (0.3)

# people and access
authentication, authn, login, sign in, logon
authorisation, authorization, authz, permission, access denied (0.6)
permission denied, forbidden, 403, not authorised, not authorized (0.6)
unauthorised, unauthorized, 401, not authenticated (0.6)
sso, single sign on, saml, oidc, oauth (0.6)
mfa, 2fa, two factor
ldap, active directory, directory service (0.6)
password, passphrase, passwd (0.6)
locked out, account locked, lockout
email, mail, smtp (0.6)
wifi, wireless, wlan
laptop, workstation, computer (0.6)
printer, printing, print queue (0.6)
brute force, password guessing, failed logins (0.6)
vulnerability, cve, security patch (0.6)
intrusion, breach, compromised, hacked (0.6)

# how trouble feels
latency, response time, slow, sluggish
delay, lagging, behind (0.6)
timeout, timed out
error, failure, failing (0.6)
broken, failing, faulty (0.6)
crash, dies, fell over
restart, relaunch (0.6)
stuck, hanging, hung, frozen, freezes
unreachable, not reachable, cannot reach, no route
unavailable, outage, offline, went down (0.6)
unhealthy, degraded, impaired (0.6)
missing, absent, gone, disappeared, vanished
unresponsive, not responding, no response
full, filling up, running out, nearly full
exhausted, used up, ran out
saturated, overloaded, maxed out (0.6)
limit reached, quota exceeded, over quota, limit exceeded
spike, surge, burst, sudden increase (0.6)
drop, sudden drop, dropped off, fell off (0.3)
leak, memory leak (0.3)
flapping, unstable, on and off
inconsistent, mismatch, out of step, differ (0.6)
misconfigured, bad configuration, bad config, invalid configuration, wrong config
configuration, config, settings (0.6)
reload, config reload (0.6)
delete, remove (0.6)
cleanup, clean up, purge, prune, garbage collection (0.6)
scale up, scale out, add capacity, more capacity (0.6)
upgrade, update, patching (0.3)
version mismatch, version skew, different versions
error rate, failure rate, error ratio
health check, healthcheck, probe (0.6)
throughput, transfer rate (0.6)
utilisation, utilization, usage (0.6)
sync, synchronisation, synchronization
duplicate, twice (0.6)
high availability, ha, redundancy (0.6)
capacity, headroom (0.6)
alert, alarm (0.6)
job, task (0.6)
directory, folder
performance, perf
connections, conns
data loss, lost data, data lost
"""
"""Groups that mean nearly the same either way; the usual weight is 1."""

LEADS: Final = """
# machines
box, machine -> node, instance, host
host, virtual machine, droplet, ec2 instance -> node, instance
server -> node, instance (0.3)
node -> instance, host (0.3)
core -> cpu (0.3)
box died, machine died, server died -> node down, unreachable, not ready
eats memory, memory hog -> memory usage, out of memory
memory keeps growing, growing memory -> memory leak
exit code 137, sigkill, killed process -> out of memory, oomkilled
exit code 139, segfault, segmentation fault -> crash
exit code 143, sigterm -> terminated, shutdown (0.3)
cannot allocate memory, failed malloc -> out of memory
bad alloc, heap space, outofmemoryerror -> out of memory, heap
garbage collector, gc pause -> garbage collection, heap
swapping, thrashing -> memory pressure, swap
pegged, pinned -> cpu (0.3)
fans spinning, too hot, running hot -> temperature
steal time, noisy neighbour, noisy neighbor -> cpu steal, overcommit
too many processes, cannot fork, fork failed -> process limit, pid pressure
zombie, defunct -> process (0.3)
many open files, emfile, ulimit -> file descriptor, file descriptor limit
wrong time, clock is wrong, time is off -> clock skew, clock
clock jumped, time jump -> clock skew, not synchronising
conntrack table full, tracking table full -> conntrack limit, conntrack
eth0, ens3, bond0 -> network interface
cable, unplugged, link down -> network interface, network
rx errors, crc errors -> network receive errors
tx errors -> network transmit errors
daemon, background service -> systemd service (0.3)
service failed, unit failed, failed unit -> systemd service, failed state
rebooted itself, random reboot, unexpected reboot -> reboot, kernel panic
wont boot, won't boot -> boot, kernel panic
cron -> cronjob, job
crontab, nightly job, scheduled task -> cronjob, scheduled job

# disks and files
enospc, no space left -> filesystem, out of space, disk full
no space -> filesystem, out of space, disk full
out of room, no room, disk filling -> filesystem, out of space, filling up
hard disk, harddisk, hdd -> disk
partition is full, root partition, root volume -> filesystem, disk space
cannot write, writes fail -> read only filesystem, out of space (0.3)
erofs, only file system, only filesystem -> read only filesystem
many small files, millions of files -> inode
io wait, iowait -> disk
slow disk, disk is slow, slow writes -> disk io, disk saturation
bad sectors, dying disk, disk dying -> disk failure, smart
io error, input output error, medium error -> disk failure, disk
disk fell out, lost disk, failed drive -> raid degraded, disk failure
rebuild, resync, resilver -> raid, degraded
stale file handle, estale -> nfs, mount
shared folder, network drive -> nfs, file share (0.3)
old logs, log files, huge logs -> log rotation, disk space
docker images, dangling images, image cache -> garbage collection, disk space
volume full, volume filling, claim full -> persistent volume, filling up
expand volume, bigger volume, grow volume -> persistent volume, resize
unbound, waiting for volume, volume binding -> persistent volume claim, pending
multi attach, multiattach, cannot attach -> volume attachment, persistent volume
osd down, nearfull, health err -> ceph
health warn, slow ops, backfillfull -> ceph
bucket -> object storage (0.3)
wont mount, won't mount, mount fails -> mount, persistent volume

# Kubernetes
kubectl, kubeconfig -> kubernetes, api server
kubectl hangs, kubectl is slow, kubectl slow -> api server
6443 -> api server
2379, 2380 -> etcd
9093 -> alertmanager
9090 -> prometheus
9100 -> node exporter
10250 -> kubelet
keeps dying, keeps crashing, keeps restarting -> crash looping, crashloop, restart
keeps falling over, keeps exiting, keeps rebooting -> crash looping, restart
restart loop, restarting constantly -> crash looping
back off restarting, restarting failed container -> crash looping, crashloopbackoff
cannot pull, pull failed, manifest unknown -> image pull
never starts, not starting, does not start -> pending, not ready, stuck
wont start, won't start, fails to start -> not ready, crash looping, failed
never becomes ready, never ready, not becoming ready -> not ready, readiness probe
sits there, hangs forever, waits forever -> pending, stuck
insufficient cpu, insufficient memory, nodes are available -> unschedulable
cannot be scheduled, wont schedule, won't schedule -> unschedulable
node pool, node group -> cluster autoscaler
no room, nowhere to run, nowhere to go -> unschedulable, capacity (0.3)
untolerated taint, node selector, didn't match -> unschedulable, taint
node is gone, lost node, node disappeared -> node not ready, node unreachable
kubelet stopped, kubelet dead, kubelet died -> kubelet down, node not ready
stuck terminating, wont terminate, won't terminate -> terminating, finalizer
deploy -> deployment, rollout
deploy stuck, stuck deploy, deploy hangs -> rollout stuck, deployment
old version, still old, previous version -> rollout stuck, generation mismatch (0.3)
missing replicas, too few replicas, fewer replicas -> replicas mismatch, deployment
not scaling, wont scale, won't scale -> hpa, replicas mismatch
max replicas, maximum replicas, at maximum scale -> hpa, maxed out
wrong nodes -> daemonset, misscheduled (0.3)
on every node, one per node -> daemonset
batch job, one off job -> job, cronjob
job never finishes, still running, job hangs -> job, not completed (0.3)
failed jobs, job errors -> job failed, cronjob
diskpressure, memorypressure, pidpressure -> node pressure, eviction
disk pressure, memory pressure, pid pressure -> eviction, node
kicked out, kicked off, thrown off -> evicted
pleg, pod lifecycle -> kubelet
pod limit, max pods -> kubelet, too many pods
slow to start, takes ages, takes forever -> startup latency (0.3)
webhook denied, failed calling webhook, admission denied -> admission webhook
apiservice, metrics server -> aggregated api, kubernetes api
hpa unknown, unable to fetch -> metrics server, hpa (0.3)
service account -> rbac, token (0.3)
aks, eks, gke -> kubernetes, cluster
k3s, rke, kubeadm -> kubernetes, cluster
team limit, namespace limit, namespace full -> quota, resource quota
promised too much, cannot survive, lose one node -> overcommit (0.3)
endpoints, no endpoints, without endpoints -> service endpoints, not ready (0.3)

# etcd and other quorums
cluster brain, key value store -> etcd (0.3)
lost a member, member lost, member is down -> insufficient members, members down
lost majority, no majority, lost quorum -> insufficient members, quorum, no leader
cannot elect, nobody leads, has no master -> no leader, quorum
elections, keeps electing, leader keeps changing -> leader changes
mvcc, database space exceeded, space exceeded -> etcd, database quota
failed proposals, pending proposals, apply took long -> etcd, proposals
slow fsync, sync took long -> fsync, disk latency
both think primary, two masters, two primaries -> split brain
two leaders -> split brain, leader
sealed, unseal -> vault

# watching
monitoring -> prometheus
monitoring is down, monitoring down, monitoring died -> prometheus, prometheus down
monitoring is blind, no data, no metrics -> target down, scrape, absent
graph is empty, empty graph -> no data, scrape, target down
gaps in graphs, holes in graphs -> scrape, missing samples (0.3)
no alerts, alerts stopped, alerting is quiet -> watchdog, alertmanager
pager, on call phone -> notification (0.3)
slack, pagerduty, opsgenie -> notification, receiver, alertmanager
not notified, no notification, missed page -> failed to send, notifications, alertmanager
alert storm, too many alerts, noisy alerts -> alertmanager, inhibition (0.3)
rules not evaluated, rules are slow, rule failed -> rule evaluation, rule failures
duplicate samples, duplicate timestamp, duplicate series -> duplicate timestamps
old samples, late samples -> out of order, timestamps (0.3)
too many series, too many labels, label explosion -> cardinality, time series limit
lost history, metrics lost, history gone -> tsdb, retention
retention, keep longer -> storage, tsdb (0.3)
bad yaml, yaml error, parse error -> configuration, config reload
config not applied, reload failed, old config -> failed reload, config reload
nodes disagree, peers disagree, different answers -> inconsistent, members inconsistent
always firing, fires constantly -> watchdog (0.3)
context deadline exceeded, deadline exceeded -> timeout
cannot be scraped, not scraped, scrape fails -> target down
too many errors, errors over budget -> error budget (0.3)
too many logs, log volume, log flood -> log ingestion, logs
syslog, journald, journal -> logs

# networks
cannot resolve, does not resolve, name not known -> dns
unknown host, host not found, could not resolve -> dns
getaddrinfo, eai again, temporary failure -> dns
resolv conf, nameserver, resolver -> dns
connection refused, econnrefused -> down, unreachable, not listening
connection reset, reset by peer, broken pipe -> network, connection errors
no route, host unreachable, network unreachable -> network, unreachable
etimedout, dial tcp, io timeout -> timeout, network
cannot connect, can't connect, connect fails -> unreachable, connection refused
cannot reach, can't reach, does not answer -> unreachable, down
ping, icmp -> packet loss, probe (0.3)
certificate has expired, expired certificate, cert expired -> certificate expiration, expired
unknown authority, self signed, verify failed -> certificate, certificate authority
about to expire, expires soon, runs out soon -> expiration, expiring
about to die, about to lapse -> expiration, expiring (0.3)
padlock, not secure, security warning -> certificate, tls
https, ssl error -> tls, certificate
website, site, web page -> http, ingress, probe (0.3)
site is down, website down, page wont load -> unavailable, probe failed, 5xx
white page, error page, blank page -> 5xx, server error
connect error, no healthy upstream, upstream connect -> upstream, 5xx
internet, internet is down, no internet -> network, uplink
losing packets, lost packets, drops packets -> packet loss, network receive errors
network is slow, slow network, laggy network -> latency, packet loss, bandwidth
saturated link, line is full, pipe is full -> bandwidth, network saturation
too many requests, 429, throttled requests -> rate limit
traffic blocked, being blocked, packets rejected -> firewall, network policy (0.3)
overlay, pod network, between pods -> cni, network
ips exhausted, no free addresses, out of ips -> address pool, ip exhaustion
domain expired, domain name -> domain registration, dns (0.3)
traffic, requests per second, rps -> request rate
qps -> request rate, query rate
no traffic, traffic dropped, nobody visits -> request rate, drop

# databases
pg, postmaster, pg hba -> postgresql
mysqld, my cnf, galera -> mysql
mongod, mongos -> mongodb
redis server, redis cli -> redis
database is down, db down, db is down -> database, unavailable
copy is behind, replica is behind, behind the primary -> replication lag
standby, slave, follower -> replica
replica stopped, replication broke, replication stopped -> replication, broken
stale reads, stale data, old data -> replication lag, freshness
no connections left, too many sessions, connections used up -> too many connections
queries pile up, queries are stuck, blocked query -> lock contention, slow queries
query is slow, slow sql, slow reports -> slow queries
missing index, full scan, seq scan -> slow queries (0.3)
could not serialize, lock timeout, lock wait timeout -> deadlock, lock contention
table is huge, table too big, dead rows -> bloat, vacuum
dead tuples, stopped vacuuming, not vacuumed -> autovacuum, vacuum
no commands accepted, prevent wraparound -> wraparound, vacuum
wal piling up, wal grows, wal disk full -> replication slot, wal, disk full
archive command, archiving failed, archiver -> wal archiving, backup
backup missing, no backup, backup is old -> backup failed, backup age
not backed up, backup broken, backup failed -> backup
misconf, cannot persist -> redis, rdb
oom command -> redis, maxmemory
evicting keys, keys vanish, lost keys -> redis, eviction
big keys, hot key -> redis, latency (0.3)
cache is cold, cold cache, cache is empty -> cache hit ratio, cache
elastic, elk -> elasticsearch
cluster is red, red cluster, cluster is yellow, yellow cluster -> elasticsearch, unassigned shards
flood stage, read only index -> elasticsearch, disk watermark
circuit breaking exception, data too large -> elasticsearch, heap
search is slow, search broken, indexing is slow -> elasticsearch, search latency (0.3)
oplog window, too stale, stepped down -> mongodb, replication
sstable, compactions pending -> cassandra, compaction
commitlog, commit log -> cassandra, write ahead log (0.3)

# queues
piling up, building up -> backlog, queue, growing
messages pile up, unprocessed messages, events pile up -> consumer lag, queue depth, backlog
stream is behind, consumers behind, events are late -> consumer lag
falling behind, fell behind, cannot keep up -> lag, backlog
can't keep up, not keeping up, far behind -> lag, backlog
nobody consumes, no consumer, not consumed -> no consumers, queue
rebalance, keeps rebalancing, rebalancing -> consumer group, kafka
topic -> kafka (0.3)
vhost, amqp exchange -> rabbitmq
broker died, lost broker, broker is gone -> broker down, offline partition
notenoughreplicas, not enough replicas, urp -> under replicated, in sync replica
poison message, failed messages, bad messages -> dead letter queue
emails not sent, mails are stuck, mail stuck -> mail queue, smtp
mailq, postfix, exim -> mail queue
sqs, pubsub, nats -> queue, message queue

# building and shipping
builds -> pipeline, job
build is stuck, builds wait, builds sit -> pending, queue, runner
jobs wait, jobs are waiting, waiting for runner -> job queue, runner, pending
no runners, no agents, agents offline -> runner offline, runner
red build, build is red, main is red -> pipeline failed, failing
ci is slow, slow builds, slow pipeline -> job queue, pipeline duration
checkout fails, cannot clone, clone fails -> git, repository
push rejected, cannot push, push fails -> git, repository
pre receive, remote rejected, remote hung up -> git
repo -> repository
sidekiq, unicorn, puma -> gitlab (0.3)
shipped, released, went live -> deployment
since the release, after the deploy, bad deploy -> rollback, deployment
undo, backed out, previous release -> rollback
wont sync, won't sync, not syncing -> argo cd, out of sync
docker hub, toomanyrequests, pull limit -> image pull, rate limit
registry is down, registry down, registry full -> container registry
lock is held, state locked, cannot lock -> state lock

# models and LLM services
graphics cards, gpus, a100 -> gpu
h100, tpu, accelerator -> gpu
gpu idle, gpus are idle, idle gpus -> gpu utilisation
gpu too hot, gpu hot -> gpu temperature
gpu disappeared, gpu missing, gpu lost -> xid error, gpu
cuda error, device side assert -> gpu, cuda
training hangs, training stuck, training is stuck -> nccl, training, stalled
loss exploded, loss went up, loss is nan -> loss spike, training
model got worse, predictions are wrong, bad predictions -> model quality, model drift, accuracy
accuracy dropped, accuracy fell, less accurate -> model quality, model drift
model is slow, slow predictions, slow inference -> inference latency
bot, chatbot, assistant -> llm (0.3)
gpt, claude, llama -> llm, llm provider
answers are slow, slow answers, slow to answer -> llm latency, first token
nonsense, rubbish answers, garbage answers -> model quality, hallucination
makes things up, invents things -> hallucination
ai bill, token bill, spending too much -> llm cost, token usage
bill, spend, expensive -> cost
maximum context length, context too long, too many tokens -> context window
provider is down, overloaded error, model overloaded -> llm provider, unavailable
refuses to answer, refuses everything -> guardrail, refusal
documents not found, finds nothing, stale index -> retrieval, index freshness (0.3)
jupyter -> notebook
airflow, dag, etl, spark, dbt -> data pipeline, job
data is late, no new data, data not arriving -> freshness, data pipeline
late data, stale table -> freshness

# people and access
log in, can't login -> authentication, login
auth -> authentication, authorisation
perms, chmod, chown -> permission
cannot sign in, login fails -> authentication, sso
logged out, kicked to login, asked again -> session, authentication
invalid credentials, wrong password -> authentication, credentials
access denied, no access, not allowed -> permission, authorisation
kerberos, keytab -> active directory
leaked key, leaked token, leaked password -> credential, rotate, secret
key in repo, secret in git, exposed key -> credential, rotate, secret
ransomware, malware, virus -> compromised, security
miner, crypto miner, strange process -> compromised, cpu (0.3)
publickey, putty, host key -> ssh
ssh key, authorized keys -> ssh, credentials
outlook, mailbox, inbox -> email
paper jam, toner -> printer
new starter, new joiner, onboarding -> account (0.3)

# how trouble feels
crawling, snail, takes too long, laggy -> latency
p99, p95, percentile -> latency
acting up, weird, misbehaving -> failing, unhealthy (0.3)
blew up, blowing up, exploded -> crash, error, failed (0.3)
falls over, keeled over -> crash, down
is dead, is down, went dark -> down, unavailable
does nothing, no progress -> stuck, stalled
spinning wheel, spinner, loading forever -> timeout, latency
not working, does not work, stopped working -> failing, down (0.3)
excessive, huge number, through the roof -> high, too many (0.3)
skyrocketed, shot up, spiking -> high, spike
nearly full, almost full, close to full -> filling up, almost out
running low, almost out, nearly out -> low, filling up
runs out, ran dry -> exhausted
comes and goes, now and then, intermittent -> flapping
goes away, coming back, up and down -> flapping (0.3)
too big, oversized, too large -> size limit, large (0.3)
grows, grew -> growth, increase
stopped, halted, shut down -> down, not running (0.3)
not the same, does not match, disagree -> mismatch, inconsistent
choking, drowning, swamped -> overloaded, saturated
sick, in trouble -> unhealthy, degraded (0.3)
requests fail, failing requests, requests are failing -> error rate, 5xx
wiped, deleted by accident, accidentally deleted -> restore, backup
overwritten, dropped table, lost rows -> restore, backup
wait in line, sits in queue -> pending, queue
cannot keep time, wrong timestamps -> clock skew (0.3)
stopped reporting, no longer reporting, silent -> target down, absent (0.3)
cannot delete, wont delete, won't delete -> finalizer, terminating (0.3)
took over, takeover -> failover
rotate -> renew (0.3)
dmesg -> kernel
"""
"""Groups that lead one way, from what people say or paste to what pages say; the usual weight is 0.6."""

THESAURUS: Final = (
    *(parse(line, 1.0) for line in lines(ALIKE)),
    *(parse(line, 0.6) for line in lines(LEADS)),
)
"""All groups, in the order they are written."""
