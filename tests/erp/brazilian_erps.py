"""Tables as RM, Protheus and a web shop name them, and which of their columns are personal.

What looks personal and is not stands beside what does not look personal and is.
"""

from datetime import date, timedelta
from random import Random

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    insert,
)

from consumers.sgdp.identifiers import punctuated_cpf
from smartlink.types import check_digits

ROWS = 120

metadata = MetaData()
_S = String(80)

Table(
    "PPESSOA",
    metadata,
    Column("CODIGO", Integer, primary_key=True),
    Column("NOME", _S),
    Column("APELIDO", _S),
    Column("DTNASCIMENTO", DateTime),
    Column("CPF", String(11)),
    Column("CARTIDENTIDADE", String(15)),
    Column("TITULOELEITOR", String(14)),
    Column("RUA", _S),
    Column("BAIRRO", _S),
    Column("CEP", String(9)),
    Column("TELEFONE1", String(15)),
    Column("EMAIL", _S),
    Column("SEXO", String(1)),
    Column("ESTADOCIVIL", String(1)),
    Column("CORRACA", Integer),
    Column("DEFICIENTEFISICO", Integer),
    Column("IMAGEM", LargeBinary),
    Column("RECMODIFIEDBY", String(50)),
    Column("RECMODIFIEDON", DateTime),
)
Table(
    "PFUNC",
    metadata,
    Column("CODCOLIGADA", Integer, primary_key=True),
    Column("CHAPA", String(16), primary_key=True),
    Column("CODPESSOA", ForeignKey("PPESSOA.CODIGO")),
    Column("NOME", _S),
    Column("PISPASEP", String(11)),
    Column("CARTEIRATRAB", String(10)),
    Column("CONTAPAGAMENTO", String(15)),
    Column("SALARIO", Numeric(12, 2)),
    Column("DATAADMISSAO", Date),
    Column("CODSITUACAO", String(1)),
    Column("CODSECAO", String(35)),
)
Table(
    "PFDEPEND",
    metadata,
    Column("ID", Integer, primary_key=True),
    Column("CHAPA", String(16)),
    Column("NOME", _S),
    Column("DTNASCIMENTO", Date),
    Column("GRAUPARENTESCO", String(1)),
)
Table(
    "FCFO",
    metadata,
    Column("CODCFO", String(25), primary_key=True),
    Column("NOMEFANTASIA", _S),
    Column("NOME", _S),
    Column("CGCCFO", String(20)),
    Column("CONTATO", _S),
    Column("LIMITECREDITO", Numeric(12, 2)),
)
Table(
    "GCOLIGADA",
    metadata,
    Column("CODCOLIGADA", Integer, primary_key=True),
    Column("NOME", _S),
    Column("CGC", String(20)),
)
Table(
    "PSECAO",
    metadata,
    Column("CODIGO", String(35), primary_key=True),
    Column("DESCRICAO", _S),
    Column("NROCENTROCUSTO", String(25)),
)
Table(
    "SRA010",
    metadata,
    Column("R_E_C_N_O_", Integer, primary_key=True),
    Column("RA_FILIAL", String(8)),
    Column("RA_MAT", String(6)),
    Column("RA_NOME", String(70)),
    Column("RA_CIC", String(11)),
    Column("RA_RG", String(15)),
    Column("RA_NASC", String(8)),
    Column("RA_MAE", String(70)),
    Column("RA_TELEFON", String(20)),
    Column("RA_ENDEREC", String(60)),
    Column("RA_ADMISSA", String(8)),
    Column("RA_RACACOR", String(1)),
    Column("D_E_L_E_T_", String(1)),
)
Table(
    "SA1010",
    metadata,
    Column("R_E_C_N_O_", Integer, primary_key=True),
    Column("A1_COD", String(6)),
    Column("A1_NOME", String(40)),
    Column("A1_NREDUZ", String(20)),
    Column("A1_CGC", String(14)),
    Column("A1_EMAIL", String(60)),
    Column("A1_TEL", String(15)),
    Column("A1_EST", String(2)),
    Column("A1_ULTCOM", String(8)),
)
Table(
    "SB1010",
    metadata,
    Column("R_E_C_N_O_", Integer, primary_key=True),
    Column("B1_COD", String(15)),
    Column("B1_DESC", String(60)),
    Column("B1_CODBAR", String(13)),
    Column("B1_PRV1", Numeric(12, 2)),
)
Table(
    "shop_user",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("username", _S),
    Column("first_name", _S),
    Column("last_name", _S),
    Column("email", _S),
    Column("password", _S),
    Column("is_staff", Boolean),
    Column("date_joined", DateTime),
    Column("dob", Date),
)
Table(
    "shop_order",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("user_id", ForeignKey("shop_user.id")),
    Column("total", Numeric(12, 2)),
    Column("status", String(20)),
    Column("tracking_code", String(20)),
    Column("placed_on", Date),
    Column("x1", Text),  # what the buyer typed
)
Table(
    "shop_product",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", _S),
    Column("description", Text),
    Column("ean", String(13)),
    Column("weight", Numeric(8, 3)),
)
Table(
    "shop_category",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", _S),
    Column("slug", _S),
)
Table(
    "job_log",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("host_name", _S),
    Column("file_name", _S),
    Column("message", Text),  # some name a person's CPF
    Column("started_at", DateTime),
)
Table(
    "extra",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("col_a", String(30)),  # CPFs
    Column("col_b", String(30)),  # telephone numbers
    Column("col_c", _S),  # names
    Column("col_d", Date),  # dates of birth
    Column("col_e", String(30)),  # codes
    Column("col_f", BigInteger),  # numbers of eleven digits, no CPFs
)

PERSONAL = frozenset(
    f"{table}.{column}"
    for table, its in {
        "PPESSOA": "NOME APELIDO DTNASCIMENTO CPF CARTIDENTIDADE TITULOELEITOR RUA BAIRRO CEP "
        "TELEFONE1 EMAIL SEXO ESTADOCIVIL CORRACA DEFICIENTEFISICO IMAGEM",
        "PFUNC": "CHAPA NOME PISPASEP CARTEIRATRAB CONTAPAGAMENTO SALARIO",
        "PFDEPEND": "CHAPA NOME DTNASCIMENTO",
        "FCFO": "NOMEFANTASIA NOME CGCCFO CONTATO",
        "SRA010": "RA_MAT RA_NOME RA_CIC RA_RG RA_NASC RA_MAE RA_TELEFON RA_ENDEREC RA_RACACOR",
        "SA1010": "A1_NOME A1_NREDUZ A1_CGC A1_EMAIL A1_TEL",
        "shop_user": "username first_name last_name email dob",
        "shop_order": "x1",
        "job_log": "message",
        "extra": "col_a col_b col_c col_d",
    }.items()
    for column in its.split()
)

_FIRST = "Ana Bia João Kauã Lourdes Márcio Neusa Otávio Quitéria Ruan Sofia Tainá Ubirajara Zélia"
_LAST = "Alves Brito Costa Dias Esteves Farias Gomes Horta Leal Matos Nunes Pires Ramos Viana"
_GOODS = "Parafuso sextavado|Cabo de rede|Mesa de centro|Caneta azul|Óleo de soja|Monitor 24 pol"
_STREETS = "Rua das Flores|Av. Paulista|Travessa do Comércio|Alameda Itu"


def fill(engine: Engine) -> None:
    """Create the tables and their rows, the same at each run."""
    random = Random(7)
    with engine.begin() as connection:
        metadata.create_all(connection)
        for table in metadata.sorted_tables:
            rows = [_row(random, table, number) for number in range(1, ROWS + 1)]
            connection.execute(insert(table), rows)


def _row(random: Random, table: Table, number: int) -> dict[str, object]:
    return {
        column.name: number
        if column.primary_key and isinstance(column.type, Integer)
        else _value(random, table.name, column, number)
        for column in table.c
    }


def _value(random: Random, table: str, column: Column[object], number: int) -> object:  # noqa: C901, PLR0911, PLR0912
    name = column.name.split("_", 1)[1] if column.name[2:3] == "_" else column.name
    if column.foreign_keys:
        return number
    match f"{table}.{name}", name:
        case (("GCOLIGADA.NOME" | "shop_category.name"), _):
            return f"{random.choice(_GOODS.split('|'))} Ltda"
        case "GCOLIGADA.CGC", _:
            return _cnpj(random)
        case (("FCFO.CGCCFO" | "SA1010.CGC"), _):
            return _cpf(random) if number % 3 else _cnpj(random)
        case (("PSECAO.DESCRICAO" | "shop_product.name" | "SB1010.DESC"), _):
            return random.choice(_GOODS.split("|"))
        case "shop_product.description", _:
            return f"{random.choice(_GOODS.split('|'))}, caixa com {number} unidades"
        case "shop_order.x1", _:
            return (
                f"Entregar a {_name(random)}, fone (11) 9{random.randint(7000, 9999)}-{number:04}"
            )
        case "job_log.message", _:
            told = f"employee {punctuated_cpf(_cpf(random))}" if number % 5 == 0 else "batch"
            return f"{told} imported in {number} ms"
        case _, ("NOME" | "MAE" | "col_c" | "NOMEFANTASIA" | "CONTATO" | "NREDUZ" | "APELIDO"):
            return _name(random)
        case _, ("first_name" | "last_name"):
            return _name(random).split()[0 if name == "first_name" else 1]
        case _, ("CPF" | "CIC" | "col_a"):
            return _cpf(random)
        case _, ("EMAIL" | "email"):
            return f"{random.choice(_FIRST.split()).lower()}{number}@casa.example"
        case _, "username":
            return f"{random.choice(_LAST.split()).lower()}{number}"
        case _, ("TELEFONE1" | "TELEFON" | "TEL" | "col_b"):
            return f"({random.choice((11, 21, 31, 41))}) 9{random.randint(7000, 9999)}-{number:04}"
        case _, ("DTNASCIMENTO" | "dob" | "col_d"):
            return _on(random, 1950, 50)
        case _, "NASC":
            return f"{_on(random, 1950, 50):%Y%m%d}"
        case _, ("ADMISSA" | "ULTCOM"):
            return f"{_on(random, 2015, 10):%Y%m%d}"
        case _, ("RUA" | "ENDEREC"):
            return f"{random.choice(_STREETS.split('|'))}, {number}"
        case _, "CEP":
            return f"{random.randint(1000, 9999):05}-{number:03}"
        case _, "host_name":
            return f"srv-{number % 4}.intra.example"
        case _, "file_name":
            return f"/var/spool/job-{number}.csv"
        case _, "col_f":
            return 20_000_000_000 + number * 7
    match column.type:
        case Boolean():
            return number % 2 == 0
        case DateTime() | Date():
            return _on(random, 2015, 10)
        case LargeBinary():
            return b"\x89PNG"
        case Numeric():
            return random.randint(100, 99_999) / 100
        case Integer():
            return random.randint(0, 6)
        case String(length=length):
            return f"{name[:1].upper()}{number * 37:05}"[: length or 30]
        case _:
            return None


def _name(random: Random) -> str:
    last = random.sample(_LAST.split(), 2)
    return f"{random.choice(_FIRST.split())} {last[0]} {random.choice(('de ', 'da ', ''))}{last[1]}"


def _on(random: Random, first: int, years: int) -> date:
    return date(first, 1, 1) + timedelta(days=random.randrange(years * 365))


def _cpf(random: Random) -> str:
    base = f"{random.randrange(100_000_000, 999_999_999)}"
    return base + check_digits(base)


def _cnpj(random: Random) -> str:
    digits = f"{random.randrange(10_000_000, 99_999_999)}0001"
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        left = sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11
        digits += str(0 if left < 2 else 11 - left)
    return digits
