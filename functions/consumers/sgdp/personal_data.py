"""Which columns are personal, why the ERP holds them, and what masking does to them.

The law decides here, not code: a column is either masked, or kept with the reason that TPD shows
to the person. The texts are Portuguese, as those who read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Table

from consumers.sgdp.database import employees, people

ANONYMISED = "ANONIMIZADO"

Identifier = Literal["CPF", "RG", "EMAIL"]
Classification = Literal["CONTRACT_EXECUTION", "LEGAL_OBLIGATION", "CONSENTMENT"]


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a column is held, in TPD's words."""

    classification: Classification
    justification: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column that is personal."""

    column: str
    description: str
    purpose: Purpose
    identifier: Identifier | None = None
    sensitive: bool = False  # in the sense of LGPD, art. 5, II
    mask: str | None = None  # what masking writes; None is NULL
    kept: str | None = None  # the reason why it may not be masked


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A table that holds personal data; TPD calls it a class, and puts it into a group."""

    name: str
    group: str
    description: str
    table: Table
    person: str  # the column that holds the person's id
    attributes: tuple[Attribute, ...]

    @property
    def mask(self) -> Mapping[str, str | None]:
        """What a masked row holds."""
        return {item.column: item.mask for item in self.attributes if item.kept is None}


_CONTRACT = Purpose("CONTRACT_EXECUTION", "Identificação e contato do titular")
_CONSENT = Purpose("CONSENTMENT", "Informado pelo titular com seu consentimento")
_PAYROLL = Purpose("LEGAL_OBLIGATION", "Folha de pagamento e obrigações trabalhistas")
_LAW = (
    "Documento da folha de pagamento e do registro de empregados (Lei 8.212/1991, art. 32; "
    "CLT, art. 41), cuja conservação a LGPD, art. 16, I, permite"
)

PERSON = Model(
    name="smartlink.sgdp.Person",
    group="people",
    description="Cadastro de pessoas",
    table=people,
    person="id",
    attributes=(
        Attribute(column="name", description="Nome", purpose=_CONTRACT, mask=ANONYMISED),
        Attribute(column="cpf", description="CPF", purpose=_CONTRACT, identifier="CPF"),
        Attribute(column="rg", description="RG", purpose=_CONTRACT, identifier="RG"),
        Attribute(column="email", description="E-mail", purpose=_CONSENT, identifier="EMAIL"),
        Attribute(column="phone", description="Telefone", purpose=_CONSENT),
        Attribute(column="address", description="Endereço", purpose=_CONTRACT),
        Attribute(column="birth_date", description="Data de nascimento", purpose=_CONTRACT),
    ),
)

EMPLOYEE = Model(
    name="smartlink.sgdp.Employee",
    group="employees",
    description="Registro de empregados",
    table=employees,
    person="person_id",
    attributes=(
        Attribute(column="registration", description="Matrícula", purpose=_PAYROLL, kept=_LAW),
        Attribute(column="cpf", description="CPF", purpose=_PAYROLL, identifier="CPF", kept=_LAW),
        Attribute(column="pis", description="PIS/PASEP", purpose=_PAYROLL, kept=_LAW),
        Attribute(column="work_email", description="E-mail", purpose=_CONTRACT, identifier="EMAIL"),
        Attribute(column="bank_account", description="Conta bancária", purpose=_CONTRACT),
        Attribute(column="union_name", description="Sindicato", purpose=_CONSENT, sensitive=True),
        Attribute(column="salary", description="Salário", purpose=_PAYROLL, kept=_LAW),
        Attribute(column="hired_on", description="Admissão", purpose=_PAYROLL, kept=_LAW),
    ),
)

MODELS = (PERSON, EMPLOYEE)
