"""Renders grafana.ini. Pure: converts settings to text. Secrets are file names here; Grafana itself reads the files."""

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
"""Lifetime of a login: a working day. Somebody who leaves the organization has no access on the next day."""
SCOPES = "openid profile email"
"""What a login asks the issuer for. Issuers give groups without a scope of their own."""
_Section = Mapping[str, str | bool | int]


@dataclass(frozen=True, kw_only=True)
class Smtp:
    """The SMTP server for Grafana's mail."""

    smarthost: str
    """host:port."""
    sender: str
    username: str
    """Empty for no login. The password is in the file PASSWORD in SMTP_FOLDER."""
    require_tls: bool


@dataclass(frozen=True, kw_only=True)
class OAuth:
    """The OpenID Connect issuer at which people log in. The client's id and secret are files in OAUTH_FOLDER."""

    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    admin_group: str
    """Group of the admins in the claim `groups` (Cognito: `cognito:groups`); empty for no admins. Without quotes."""
    editor_group: str = ""
    """Group of the editors, who may silence alerts; empty for none."""
    viewer_group: str = ""
    """Group of the viewers; if empty, everybody who can log in may view."""


def ini(*, external_url: str, port: int, smtp: Smtp | None = None, oauth: OAuth | None = None) -> str:
    """The configuration of a server that people open at `external_url`.

    It sends mail if `smtp` is set. If `oauth` is set, people can log in only at its issuer.

    The image determines the paths of programs and provisioning, so that the official image and one built from an
    unpacked distribution start with the same file. Older versions of Grafana ignore unknown keys.
    """
    sections: dict[str, _Section] = {
        "paths": {"data": DATA, "logs": LOGS, "plugins": f"{DATA}/plugins"},
        "server": {"http_port": port, "root_url": f"{external_url.rstrip('/')}/", "enable_gzip": True},
        # With a write-ahead log, readers never wait for SQLite's single writer.
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
        # Pulumi's provider logs in with basic authentication.
        "auth.basic": {"enabled": True},
        "snapshots": {"enabled": False, "external_enabled": False},
        "public_dashboards": {"enabled": False},
        # An Enterprise feature, disabled for images that contain it.
        "reporting": {"enabled": False},
        "unified_alerting": {"enabled": True},
        "plugins": {
            # Since 11.3, Grafana downloads apps when it starts. The pinned 13.1 contains all four data sources. Later
            # versions do not contain Jaeger, and 13.2.0 and 13.2.1 do not find bundled plugins without internet access
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
        # A file, because environment variables are visible in `kubectl describe`, /proc and crash dumps. Grafana itself
        # reads it; `GF_..__FILE` would need the official image's start script. Grafana sets the password only at the
        # first start with an empty database; afterwards, `grafana cli admin reset-admin-password` changes it.
        "admin_password": f"$__file{{{SECRETS_FOLDER}/{PASSWORD}}}",
        # Encrypts data sources' passwords in the database. The built-in default is the same in every Grafana.
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
    # Disables only the form. The API still accepts the administrator's password, which only the program has.
    return {"disable_login_form": True, "login_maximum_lifetime_duration": f"{SESSION_HOURS}h"}


def _oauth(oauth: OAuth | None) -> _Section:
    if oauth is None:
        return {"enabled": False}
    return {
        "enabled": True,
        "name": "Single sign-on",
        "client_id": f"$__file{{{OAUTH_FOLDER}/{CLIENT_ID}}}",
        "client_secret": f"$__file{{{OAUTH_FOLDER}/{CLIENT_SECRET}}}",
        "scopes": SCOPES,
        "auth_url": oauth.authorization_endpoint,
        "token_url": oauth.token_endpoint,
        "api_url": oauth.user_info_endpoint,
        "use_pkce": True,
        # The first login at the issuer creates the user. users.allow_sign_up, in contrast, controls the public form.
        "allow_sign_up": True,
        # Each login sets the role from the groups. Strict mode rejects logins without a role. Otherwise people who have
        # left all groups would keep their role (observed with 9.4).
        "role_attribute_path": _role(oauth),
        "role_attribute_strict": True,
        "allow_assign_grafana_admin": False,
    }


def _role(oauth: OAuth) -> str:
    """The JMESPath of the role. Grafana applies it to the token's claims, then to the user info, until it gives a role.

    Issuers put groups into either of the two. Both have `sub`, and only tokens have `exp`: tokens give a role only to
    members of a group, and the user info gives one to everybody, unless viewers have a group, too. In between, Grafana
    applies the path to a document that has neither. Each group is compared as a whole: in a claim that is a text,
    `contains` would match parts of other names.
    """
    groups = {"Admin": oauth.admin_group, "Editor": oauth.editor_group, "Viewer": oauth.viewer_group}
    known = [f"(groups || \"cognito:groups\")[?@ == '{group}'] && '{role}'" for role, group in groups.items() if group]
    if not known:
        return "'Viewer'"
    return " || ".join([*known, *([] if oauth.viewer_group else ["sub && !exp && 'Viewer'"])])


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
