"""How people reach the stack's pages: the keys, the values that each allows, and their conflicts."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from settings.apps import ALERTMANAGER, GRAFANA, JAEGER, PROMETHEUS, App
from settings.types import HTTPS, OBJECT_NAME, LabelName, OptionalHttpsUrl, allowed

Page = Literal["grafana", "prometheus", "alertmanager", "jaeger"]
"""An app with a web page."""
PAGES: Mapping[Page, App] = {
    "grafana": GRAFANA,
    "prometheus": PROMETHEUS,
    "alertmanager": ALERTMANAGER,
    "jaeger": JAEGER,
}
"""Page -> its app."""
ADDRESSES: Mapping[str, App] = {
    "prometheusUrl": PROMETHEUS,
    "alertmanagerUrl": ALERTMANAGER,
    "jaegerUrl": JAEGER,
    "dashboardBaseUrl": GRAFANA,
}
"""Key of an address -> the app that serves the page."""
Annotations = dict[LabelName, str]
GroupName = Annotated[str, Field(pattern=r"^[^'\"`\\#;$\n]*$")]
_GROUP = (
    "a group's name, as the login's claim `groups` has it, without quotes and any of \\#;$; only when ingress is not "
    "none"
)
_GROUPS = ("grafana_admin_group", "grafana_editor_group", "grafana_viewer_group")
_OIDC_URL = f"{HTTPS}; required when ingress is not none, and only then"
_ENDPOINTS = ("oidc_authorization_endpoint", "oidc_token_endpoint", "oidc_user_info_endpoint")


class PageValues(BaseModel):
    """The keys of the pages. What only a load balancer of AWS has is in settings/eks/values.py."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)

    domain: Annotated[
        str,
        # The first name of a certificate has at most 64 characters; it is the shortest host, jaeger.<domain>.
        Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+)?$", max_length=57),
    ] = allowed("a domain of at most 57 characters such as staging.example.com; required when ingress is not none")
    ingress: Literal["none", "controller", "internal", "internet-facing"] = allowed(
        "none; controller when cloud is none; internal or internet-facing when cloud is eks"
    )
    ingress_class: Annotated[str, Field(pattern=OBJECT_NAME, max_length=253)] = allowed(
        "an ingress class's name; required when ingress is controller"
    )
    ingress_annotations: Annotations = allowed(
        "an object: annotation -> text, on AWS none that the program sets; only when ingress is not none"
    )
    login_annotations: Annotations = allowed(
        "an object: annotation -> text, by which the ingress controller requires a login; required when ingress is "
        "controller, and only then"
    )
    oidc_authorization_endpoint: OptionalHttpsUrl = allowed(_OIDC_URL)
    oidc_token_endpoint: OptionalHttpsUrl = allowed(_OIDC_URL)
    oidc_user_info_endpoint: OptionalHttpsUrl = allowed(_OIDC_URL)
    oidc_client_id: Annotated[str, Field(pattern=r"^\S*$")] = allowed(
        "a client's id without blanks; required when ingress is not none, and only then"
    )
    grafana_admin_group: GroupName = allowed(_GROUP)
    grafana_editor_group: GroupName = allowed(_GROUP)
    grafana_viewer_group: GroupName = allowed(_GROUP)
    ingress_pages: Annotated[tuple[Page, ...], Field(min_length=1)] = allowed(
        f"a list of {', '.join(PAGES)}, at least one that the stack runs; grafana alone when grafanaViewerGroup is "
        "set and ingress is controller, which knows no groups"
    )

    @property
    def editor_groups(self) -> list[str]:
        """Groups whose members may silence alerts."""
        return [group for group in (self.grafana_editor_group, self.grafana_admin_group) if group]

    @property
    def viewer_groups(self) -> list[str]:
        """Groups whose members may view the pages; empty if everybody may whom the issuer lets log in."""
        return [self.grafana_viewer_group, *self.editor_groups] if self.grafana_viewer_group else []

    @property
    def gated_pages(self) -> list[Page]:
        """Pages behind the gate, because they know no groups; empty if no groups are set."""
        gated = self.ingress in ("internal", "internet-facing") and self.editor_groups + self.viewer_groups
        return [page for page in PAGES if gated and page in self.ingress_pages and page != "grafana"]


def conflicts(values: PageValues, cloud: str) -> Mapping[str, object]:
    """Maps each field to whether it conflicts with the others."""
    used, by_controller = values.ingress != "none", values.ingress == "controller"
    if used and by_controller != (cloud == "none"):
        return {"ingress": True}
    return {
        "domain": used and not values.domain,
        "ingress_class": by_controller and not values.ingress_class,
        "ingress_annotations": values.ingress_annotations and not used,
        "login_annotations": by_controller != bool(values.login_annotations),
        **{name: bool(getattr(values, name)) != used for name in ("oidc_client_id", *_ENDPOINTS)},
        **{name: getattr(values, name) and not used for name in _GROUPS},
        # Another controller's login sends no access token, by which the gate could ask for groups.
        "ingress_pages": by_controller and values.grafana_viewer_group and set(values.ingress_pages) != {"grafana"},
    }
