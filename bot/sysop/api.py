"""All that a plugin may import."""

from sysop.actions import (
    Action,
    Context,
    Domain,
    EnvironmentName,
    Http,
    Preview,
    Reconciled,
    Response,
    ServiceName,
    Verification,
    Verify,
    action,
)
from sysop.errors import ActionFailed, ActionRefused, CallError, InvalidCall, PluginError
from sysop.extension import AlertSource, Health, HealthCheck, Planner, PlannerFactory, PluginContext, Tool, Toolbox
from sysop.hookspecs import hookimpl
from sysop.inventory import Inventory, Service
from sysop.model import Actor, Alert, AuditEntry, Call, Claim, Conclusion, Decision, Outcome, Risk, Run, Verdict

__all__ = [
    "Action",
    "ActionFailed",
    "ActionRefused",
    "Actor",
    "Alert",
    "AlertSource",
    "AuditEntry",
    "Call",
    "CallError",
    "Claim",
    "Conclusion",
    "Context",
    "Decision",
    "Domain",
    "EnvironmentName",
    "Health",
    "HealthCheck",
    "Http",
    "InvalidCall",
    "Inventory",
    "Outcome",
    "Planner",
    "PlannerFactory",
    "PluginContext",
    "PluginError",
    "Preview",
    "Reconciled",
    "Response",
    "Risk",
    "Run",
    "Service",
    "ServiceName",
    "Tool",
    "Toolbox",
    "Verdict",
    "Verification",
    "Verify",
    "action",
    "hookimpl",
]
