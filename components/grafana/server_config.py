"""grafana.ini for one server. Pure: text in, text out; what is secret is named by file and read by Grafana itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

ADMIN = "admin"
SECRETS_FOLDER = "/etc/grafana-secrets"
PASSWORD, SECRET_KEY = "password", "secret-key"
DATA = "/var/lib/grafana"
LOGS = "/var/log/grafana"

SMTP_FOLDER = "/etc/grafana-smtp"
OAUTH_FOLDER = "/etc/grafana-oauth"
CLIENT_ID, CLIENT_SECRET = "client-id", "client-secret"
SESSION_HOURS = 12
"""A login at the issuer lasts a working day: who has left is out the next."""
_Section = Mapping[str, str | bool | int]


@dataclass(frozen=True, kw_only=True)
class Smtp:
    """The server that takes Grafana's mail."""

    smarthost: str
    """host:port."""
    sender: str
    username: str
    """Empty: no login. The password is the file PASSWORD in SMTP_FOLDER."""
    require_tls: bool


@dataclass(frozen=True, kw_only=True)
class OAuth:
    """An OpenID Connect issuer that knows the people. The client's id and secret are files in OAUTH_FOLDER."""

    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    admin_group: str
    """Who has it in the claim `groups` (or Cognito's `cognito:groups`) is Admin; empty for nobody. Without quotes."""


def ini(*, external_url: str, port: int, smtp: Smtp | None = None, oauth: OAuth | None = None) -> str:
    """The configuration of a server that people open at `external_url`.

    It sends mail if it has `smtp`, and people log in at the issuer of `oauth`, if there is one, only there.

    Paths of programs and of provisioning are left to the image, so that the official image and one made from an
    unpacked distribution start with the same file. Keys that an older Grafana does not know are ignored by it.
    """
    sections: dict[str, _Section] = {
        "paths": {"data": DATA, "logs": LOGS, "plugins": f"{DATA}/plugins"},
        "server": {"http_port": port, "root_url": f"{external_url.rstrip('/')}/", "enable_gzip": True},
        # Readers never wait for the one writer that SQLite has.
        "database": {"type": "sqlite3", "wal": True},
        "log": {"mode": "console", "level": "info"},
        "log.console": {"format": "json"},
        "analytics": {
            "reporting_enabled": False,
            "check_for_updates": False,
            "check_for_plugin_updates": False,
            "feedback_links_enabled": False,
        },
        "news": {"news_feed_enabled": False},
        "security": _security(external_url),
        "users": {
            "allow_sign_up": False,
            "allow_org_create": False,
            "auto_assign_org": True,
            "auto_assign_org_role": "Viewer",
        },
        "auth": _auth(oauth),
        "auth.generic_oauth": _oauth(oauth),
        "auth.anonymous": {"enabled": False},
        # Basic authentication is how Pulumi's provider logs in.
        "auth.basic": {"enabled": True},
        "snapshots": {"enabled": False, "external_enabled": False},
        "public_dashboards": {"enabled": False},
        # An Enterprise feature; said for images that carry it.
        "reporting": {"enabled": False},
        "unified_alerting": {"enabled": True},
        "plugins": {
            # Since 11.3 Grafana downloads apps at its start. All four data sources are part of the pinned 13.1; Jaeger
            # leaves the core after it, and 13.2.0 and 13.2.1 do not find bundled plugins without the internet
            # (grafana/grafana issues 131490 and 131956).
            "preinstall_disabled": True,
            "plugin_admin_enabled": False,
        },
        "metrics": {"enabled": True},
        "smtp": _smtp(smtp),
    }
    return "\n".join(f"[{name}]\n" + "".join(_lines(section)) for name, section in sections.items())


def _security(external_url: str) -> _Section:
    https = urlsplit(external_url).scheme == "https"
    return {
        "admin_user": ADMIN,
        # A file, not an environment variable: the environment shows in `kubectl describe`, in /proc and in crash dumps.
        # Grafana itself reads it; `GF_..__FILE` would need the official image's start script. Only a first start with
        # an empty database takes the password; later `grafana cli admin reset-admin-password` changes it.
        "admin_password": f"$__file{{{SECRETS_FOLDER}/{PASSWORD}}}",
        # Encrypts data sources' passwords in the database; the built-in default is the same in every Grafana.
        "secret_key": f"$__file{{{SECRETS_FOLDER}/{SECRET_KEY}}}",
        "disable_gravatar": True,
        "allow_embedding": False,
        "cookie_secure": https,
        "cookie_samesite": "lax",
        "strict_transport_security": https,
        "x_content_type_options": True,
        "x_xss_protection": True,
        "content_security_policy": True,
    }


def _auth(oauth: OAuth | None) -> _Section:
    if oauth is None:
        return {}
    # The form only. The API still takes the administrator's password, which the program and nobody else has.
    return {"disable_login_form": True, "login_maximum_lifetime_duration": f"{SESSION_HOURS}h"}


def _oauth(oauth: OAuth | None) -> _Section:
    if oauth is None:
        return {"enabled": False}
    return {
        "enabled": True,
        "name": "Single sign-on",
        "client_id": f"$__file{{{OAUTH_FOLDER}/{CLIENT_ID}}}",
        "client_secret": f"$__file{{{OAUTH_FOLDER}/{CLIENT_SECRET}}}",
        "scopes": "openid profile email",
        "auth_url": oauth.authorization_endpoint,
        "token_url": oauth.token_endpoint,
        "api_url": oauth.user_info_endpoint,
        "use_pkce": True,
        # Who the issuer lets in is made a user at the first login; users.allow_sign_up is about the public form.
        "allow_sign_up": True,
        # A role follows the groups at each login. Who gets none is not let in: with the lenient way, who has left all
        # groups keeps what they had (seen with 9.4).
        "role_attribute_path": _role(oauth.admin_group),
        "role_attribute_strict": True,
        "allow_assign_grafana_admin": False,
    }


def _role(admin_group: str) -> str:
    """JMESPath over the claims of the tokens, and where that gives nothing, over the user info, which always gives one.

    The first that gives a role decides, and issuers put groups into the one or the other. Both have `sub`, tokens alone
    have `exp`; in between Grafana asks a document that has neither. Each group is compared as a whole: `contains` would
    take a claim that is one text, with the group's name inside another's.
    """
    if not admin_group:
        return "'Viewer'"
    return f"(groups || \"cognito:groups\")[?@ == '{admin_group}'] && 'Admin' || sub && !exp && 'Viewer'"


def _smtp(smtp: Smtp | None) -> _Section:
    if smtp is None:
        return {"enabled": False}
    login = {"user": smtp.username, "password": f"$__file{{{SMTP_FOLDER}/{PASSWORD}}}"} if smtp.username else {}
    return {
        "enabled": True,
        "host": smtp.smarthost,
        "from_address": smtp.sender,
        "from_name": "Grafana",
        "startTLS_policy": "MandatoryStartTLS" if smtp.require_tls else "OpportunisticStartTLS",
        **login,
    }


def _lines(section: _Section) -> list[str]:
    return [f"{key} = {str(value).lower() if isinstance(value, bool) else value}\n" for key, value in section.items()]
