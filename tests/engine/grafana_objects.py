"""One resource of each kind, as the engine passes it to the grafana provider."""

import json

from pulumi.provider.experimental.property_value import PropertyValue

SECRET = "https://hooks.example.com/hush"
DASHBOARD = {"uid": "d1", "title": "One", "panels": [{"title": "$x", "targets": [{"expr": "up"}]}]}
FOLDER = ("oss/folder:Folder", {"uid": "api", "title": "API"})
BOARD = ("oss/dashboard:Dashboard", {"configJson": json.dumps(DASHBOARD), "folder": "api", "overwrite": True})
LINK = {"derivedFields": [{"url": "${__value.raw}"}]}
SOURCE = (
    "oss/dataSource:DataSource",
    {
        "uid": "loki",
        "name": "Loki",
        "type": "loki",
        "url": "http://loki:3100",
        "jsonDataEncoded": json.dumps(LINK),
        "secureJsonDataEncoded": PropertyValue(json.dumps({"basicAuthPassword": "hunter22"}), is_secret=True),
    },
)
POINT = (
    "alerting/contactPoint:ContactPoint",
    {
        "name": "till-slack",
        "slacks": [{"url": PropertyValue(SECRET, is_secret=True), "title": "{{ $x }}", "recipient": "#till"}],
    },
)
PAGER = (
    "alerting/contactPoint:ContactPoint",
    {
        "name": "till-pager",
        "pagerduties": [
            {
                "integrationKey": PropertyValue("hush-key", is_secret=True),
                "url": "https://pager.example.com",
                "clientUrl": "https://am.example.com",
                "details": {"receiver": "till-pager"},
            }
        ],
        "emails": [{"addresses": ["a@example.com", "b@example.com"], "singleEmail": True}],
    },
)
TIMES = [{"start": "20:00", "end": "24:00"}]
MUTE = (
    "alerting/muteTiming:MuteTiming",
    {
        "name": "nights",
        "intervals": [{"times": TIMES, "weekdays": ["monday:friday"], "daysOfMonths": ["1:7"], "location": "UTC"}],
    },
)
MATCHERS = [{"label": "system", "match": "=", "value": "till"}]
NIGHTS = {
    "times": [{"start_time": "20:00", "end_time": "24:00"}],
    "weekdays": ["monday:friday"],
    "days_of_month": ["1:7"],
    "location": "UTC",
}
POLICY = (
    "alerting/notificationPolicy:NotificationPolicy",
    {
        "contactPoint": "till-slack",
        "groupBies": ["alertname"],
        "policies": [
            {
                "contactPoint": "till-slack",
                "matchers": MATCHERS,
                "continue": False,
                "policies": [
                    {
                        "contactPoint": "till-slack",
                        "matchers": MATCHERS,
                        "repeatInterval": "1d",
                        "muteTimings": ["nights"],
                    }
                ],
            }
        ],
    },
)
ALL = (FOLDER, BOARD, SOURCE, POINT, PAGER, MUTE, POLICY)
