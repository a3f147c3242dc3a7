"""Base class and field types of all models in this package."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Base of all models in this package: rejects unknown fields, converts no types, and is immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


Name = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=100)]
"""Name of an alert, and of its runbook's file."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Thresholds = dict[str, dict[str, NotNegative]]
"""Alert name -> threshold name -> default."""
Document = dict[str, Any]
