"""Tables as Protheus has them: blank-padded CHAR, dates as texts, soft deletes, keys of several
columns; and beside them what the other schemas lack: partitions, triggers, rows that refer to
their like."""

from sqlalchemy import Engine, text

from tests.erp.schemas.filling import Filling, filling
from tests.erp.schemas.people import Person, people

CLIENTS = 9
_DELETED = 3  # each third has a row of before, deleted as Protheus deletes

STATEMENTS = (
    """CREATE TABLE sa1010 (a1_filial char(2) NOT NULL, a1_cod char(6) NOT NULL,
    a1_loja char(2) NOT NULL, a1_nome char(40) NOT NULL, a1_nreduz char(20) NOT NULL,
    a1_cgc char(14) NOT NULL, a1_pessoa char(1) NOT NULL, a1_end char(80) NOT NULL,
    a1_email char(60) NOT NULL, a1_ddd char(3) NOT NULL, a1_tel char(15) NOT NULL,
    a1_dtnasc char(8) NOT NULL, a1_obs text, a1_indica char(6) NOT NULL,
    d_e_l_e_t_ char(1) NOT NULL, r_e_c_n_o_ bigint PRIMARY KEY, r_e_c_d_e_l_ bigint NOT NULL,
    UNIQUE (a1_filial, a1_cod, a1_loja, r_e_c_d_e_l_))""",
    """CREATE TABLE sc5010 (c5_filial char(2) NOT NULL, c5_num char(6) NOT NULL,
    c5_cliente char(6) NOT NULL, c5_lojacli char(2) NOT NULL, c5_emissao char(8) NOT NULL,
    c5_mennota char(240) NOT NULL, d_e_l_e_t_ char(1) NOT NULL, r_e_c_n_o_ bigint NOT NULL,
    PRIMARY KEY (c5_emissao, r_e_c_n_o_)) PARTITION BY RANGE (c5_emissao)""",
    "CREATE TABLE sc5010_2025 PARTITION OF sc5010 FOR VALUES FROM ('20250101') TO ('20260101')",
    "CREATE TABLE sc5010_2026 PARTITION OF sc5010 FOR VALUES FROM ('20260101') TO ('20270101')",
    """CREATE TABLE sra010 (ra_filial char(2) NOT NULL, ra_mat char(6) NOT NULL,
    ra_nome varchar(60) NOT NULL, ra_cic char(11) NOT NULL, ra_chefe char(6),
    ra_dados jsonb NOT NULL, ra_senha smallint UNIQUE NOT NULL, ra_cracha char(8) UNIQUE NOT NULL,
    PRIMARY KEY (ra_filial, ra_mat))""",
    """CREATE TABLE sa1_log (id bigserial PRIMARY KEY, cod char(6) NOT NULL,
    quando timestamptz NOT NULL DEFAULT now(), antes text NOT NULL)""",
    """CREATE FUNCTION sa1_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO sa1_log (cod, antes) VALUES (OLD.a1_cod, OLD.a1_nome || ' ' || OLD.a1_email);
    RETURN NEW; END $$""",
    """CREATE TRIGGER sa1_keep AFTER UPDATE ON sa1010
    FOR EACH ROW EXECUTE FUNCTION sa1_keep()""",
)


def fill(engine: Engine) -> Filling:
    """Add clients, each of whom the one before recommended, and employees with their bosses."""
    with engine.begin() as connection:
        for statement in STATEMENTS:
            connection.execute(text(statement))
    with filling(engine) as erp:
        before = "      "
        for number, person in enumerate(people(CLIENTS, seed=4)):
            cod = f"{number + 1:06}"
            _client(erp, person, cod, before)
            if number % 2:
                _employee(erp, person, cod, before)
            before = cod
        return erp


def _client(erp: Filling, who: Person, cod: str, before: str) -> None:
    cpfs, emails = who.cpfs(), who.emails()
    born = f"19{60 + who.seed}0{1 + who.seed % 9}1{who.seed % 10}"
    for deleted in (False, True)[: 1 + (who.seed % _DELETED == 0)]:
        number = erp.last.get("sa1010", 1_000) + 1
        erp.add(
            "sa1010",
            who,
            a1_filial="01",
            a1_cod=cod,
            a1_loja="01",
            a1_nome=who.name.upper()[:40],
            a1_nreduz=who.first.upper()[:20],
            a1_cgc=next(cpfs).strip()[:14],
            a1_pessoa="F",
            a1_end=who.street.upper(),
            a1_email=next(emails).strip(),
            a1_ddd=who.area,
            a1_tel=who.phone,
            a1_dtnasc=born,
            a1_obs=who.told(),
            a1_indica=before,
            d_e_l_e_t_="*" if deleted else " ",
            r_e_c_n_o_=number,
            r_e_c_d_e_l_=number if deleted else 0,
        )
    for day in ("20250131", "20260131", "20260228"):
        said = f"ENTREGAR A {who.name.upper()} - {who.street.upper()} - {who.phone}"
        order = {"c5_num": cod, "c5_cliente": cod, "c5_lojacli": "01", "c5_filial": "01"}
        erp.add("sc5010", who, c5_emissao=day, c5_mennota=said, d_e_l_e_t_=" ", **order)
    log = {"cod": cod, "antes": f"{who.name} {who.email}"}
    erp.add("sa1_log", who, **log)


def _employee(erp: Filling, who: Person, mat: str, boss: str) -> None:
    document = {"nome": who.name, "contatos": [{"email": who.email}, {"tel": who.phone}]}
    erp.add(
        "sra010",
        who,
        ra_filial="01",
        ra_mat=mat,
        ra_nome=who.name,
        ra_cic=who.cpf,
        ra_chefe=boss,
        ra_dados=document,
        ra_senha=2_000 + who.seed,
        ra_cracha=f"{who.phone[:7]}X",
    )
