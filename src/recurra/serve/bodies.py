"""What requests and answers hold: the models behind OpenAPI."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, FiniteFloat, StrictBool, StrictInt, StrictStr

Series = dict[str, list[FiniteFloat]]


class _Body(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)


class Predict(_Body):
    """Inputs to answer for; a forecaster takes series instead, or nothing."""

    inputs: list[Any] | None = Field(
        None, description="Texts, lists of symbols, or numbers, in the form the model learned."
    )
    condition: StrictStr | None = Field(None, description="The kind wanted, if there are several.")
    series: Series | None = Field(None, description="Newer values of a forecaster's series.")
    horizon: Annotated[StrictInt, Field(ge=1)] | None = Field(None, description="Steps ahead.")


class Generate(_Body):
    """How new sequences are to be made."""

    prefix: str | list[StrictStr] | list[FiniteFloat] | list[list[FiniteFloat]] = Field(
        "", description="How each begins."
    )
    condition: StrictStr | None = Field(None, description="One of the model's labels.")
    n: Annotated[StrictInt, Field(ge=1)] = Field(1, description="How many.")
    temperature: FiniteFloat = Field(1.0, gt=0, le=100, description="Below 1 surer, above bolder.")
    top_k: Annotated[StrictInt, Field(ge=1)] | None = None
    top_p: Annotated[FiniteFloat, Field(gt=0, le=1)] | None = None
    unique: StrictBool = Field(False, description="No sequence twice.")
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)] | None = Field(
        None, description="The same sequences every time."
    )
    steps: StrictBool = Field(False, description="Whether each symbol's probability is told.")


class Flow(_Body):
    """A sequence whose gradients are measured."""

    input: StrictStr | list[StrictStr]
    condition: StrictStr | None = None


class Open(_Body):
    """A new stream: of one of a generator's labels, or from a saved state."""

    condition: StrictStr | None = None
    state: StrictStr | None = Field(None, description="Base64 of what GET .../state returned.")


class Push(_Body):
    """What comes next in a stream."""

    step: Annotated[StrictInt, Field(ge=1, lt=2**63)] = Field(
        description="The last step's number and one; the last one's again for its answer again."
    )
    piece: Any = Field(description="The next part of an input, in the form the model learned.")
    show: list[Literal["state"]] | None = Field(None, description="What else is to be told.")


class Failure(pydantic.BaseModel):
    """What is answered instead where something is wrong."""

    class Error(pydantic.BaseModel):
        """What it was: a code for programs, a sentence for people."""

        code: str
        message: str

    error: Error


class Health(pydantic.BaseModel):
    """Whether requests are taken."""

    status: Literal["ok", "draining"]
    model: str
    streams: int


class Answer(pydantic.BaseModel):
    """What the model says; which names there are depends on its task."""

    model_config = pydantic.ConfigDict(extra="allow")


class Opened(pydantic.BaseModel):
    """A stream that was opened."""

    stream: str
    step: int
    expires_in: float


class Told(Opened):
    """Where a stream is."""

    read: int


class Pushed(pydantic.BaseModel):
    """What is predicted after a step."""

    stream: str
    step: int
    read: int = Field(description="Steps of input read so far.")
    answer: Any
    state: dict[str, list[list[float]]] | None = None
    repeated: bool = False


class SavedState(pydantic.BaseModel):
    """A stream's state, for POST /streams."""

    state: str
