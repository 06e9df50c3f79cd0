"""The commands. Each reads its options, calls an operation, and shows the result."""

from collections.abc import Mapping

GROUPS: Mapping[str, str] = {
    "messages": "Look at messages, and act on dead ones (Situacao Morta).",
    "jobs": "Redrive, discard and hold of many messages: watch, stop, resume.",
    "tenants": "Activate tenants, and see how they do.",
    "config": "totvsAppConfig_v2.json: RM's retries (QtdeTentativasExec …).",
    "broker": "Smart Link Server itself.",
    "tpd": "Personal data maps: check, draft, look for what is left of a person; the report.",
}

COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    # group (or a command without a group) → command → module, function
    "messages": {
        "list": ("messages_read", "list_messages"),
        "show": ("messages_read", "show"),
        "timeline": ("messages_read", "timeline"),
        "redrive": ("messages_act", "redrive"),
        "discard": ("messages_act", "discard"),
        "hold": ("messages_act", "hold"),
        "export": ("replay", "export"),
    },
    "jobs": {
        "list": ("jobs", "list_jobs"),
        "show": ("jobs", "show_job"),
        "watch": ("jobs", "watch"),
        "stop": ("jobs", "stop"),
        "resume": ("jobs", "resume"),
    },
    "tenants": {
        "list": ("tenants_read", "list_tenants"),
        "show": ("tenants_read", "show_tenant"),
        "check": ("tenants_read", "check_tenant"),
        "activate": ("tenants_change", "activate"),
        "rotate": ("tenants_change", "rotate"),
        "adopt": ("tenants_change", "adopt"),
        "disable": ("tenants_change", "disable"),
        "enable": ("tenants_change", "enable"),
        "pause": ("tenants_change", "pause"),
    },
    "config": {
        "show": ("config", "show"),
        "check": ("config", "check"),
        "sample": ("config", "sample"),
        "push": ("config", "push"),
        "rollback": ("config", "rollback"),
    },
    "broker": {"discover": ("broker", "discover")},
    "tpd": {
        "check": ("tpd", "check_map"),
        "draft": ("tpd", "draft_map"),
        "trace": ("tpd", "trace_person"),
        "report": ("tpd_report", "report"),
    },
    "logs": {"logs": ("logs", "logs")},
    "stats": {"stats": ("stats", "stats")},
    "publish": {"publish": ("publish", "publish")},
    "replay": {"replay": ("replay", "replay")},
    "purge": {"purge": ("purge", "purge")},
    "audit": {"audit": ("audit", "audit")},
    "doctor": {"doctor": ("doctor", "doctor")},
    "console": {"console": ("console", "console")},
    "accept": {"accept": ("accept", "accept")},
}
