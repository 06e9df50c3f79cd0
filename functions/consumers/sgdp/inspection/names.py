"""How a column looks personal by its name: in Portuguese and English, as RM and Protheus name.

A name is cut into words: `RA_DTNASC` is `ra`, `dtnasc`; `guardianName1` is `guardian`, `name`.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class Kind(StrEnum):
    """What a personal column holds."""

    CPF = "CPF"
    CNPJ = "CNPJ"
    RG = "RG"
    PIS = "PIS"
    DOCUMENT = "document"  # passport, driver's licence, voter's title, health card …
    EMAIL = "e-mail"
    PHONE = "phone"
    NAME = "name"
    BIRTH = "date of birth"
    ADDRESS = "address"
    BANK = "bank account"
    IMAGE = "image or biometrics"
    SENSITIVE = "sensitive"  # in the sense of LGPD, art. 5, II
    PROFILE = "profile"  # sex, marital status, nationality, salary …
    FREE_TEXT = "free text"


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says: `strong` if it means this whatever the table is."""

    kind: Kind
    strong: bool


def _compiled(patterns: Mapping[Kind, str]) -> Mapping[Kind, re.Pattern[str]]:
    return {kind: re.compile(text, re.VERBOSE) for kind, text in patterns.items()}


# The whole name, without separators, digits at its end, and a Protheus prefix.
_STRONG = _compiled(
    {
        Kind.CPF: r"""
        (nr|num|numero|no|n)?cpf(cnpj|cgc)?\w{0,12} | \w{0,14}cpf | cic | cgc | cgccfo |
        cgccpf | cpfoucnpj | cnpjcpf | cnpjoucpf | (tax|vat)(payer)?(id|number|no) |
        taxid | ssn | nif
    """,
        Kind.CNPJ: r"""
        \w*cnpj\w*
    """,
        Kind.RG: r"""
        rg | (nr|num|numero)rg | rg(num|numero|nr) | \w{0,12}identidade | cartident |
        nridentidade | identitycard\w* | idcard(number|no)? | registrogeral
    """,
        Kind.PIS: r"""
        pis | pispasep | pasep | nit | nis | (nr|num|numero)pis
    """,
        Kind.DOCUMENT: r"""
        n?passaporte | passport\w* | cnh | (nr)?cnh | cartmotorista | habilit\w* |
        driver\w*licen\w* | titulo(e|eleitor\w*) | titeleitor | voter\w* | cns |
        cartaosus | ctps | carteiratrab\w* | numcp | certifreserv | reservista |
        certidao\w* | nascvivo | rne | rnm | nationalid\w*
    """,
        Kind.EMAIL: r"""
        \w*e?mail(s|address|addr)?(pessoal|comercial|personal|work|particular)?
    """,
        Kind.PHONE: r"""
        \w{0,14}(telefone|telefon|celular|phone|fone|mobile|cellphone|whatsapp|telex) |
        (telefone|celular|phone|fone|mobile|tel|fax|cel|whatsapp)\w{0,10} | telres |
        telcom
    """,
        Kind.NAME: r"""
        nome(completo|social|civil|pessoa|mae|pai|conjuge|funcionario|aluno|cliente) |
        nome(dependente|responsavel|titular|usuario|contato|paciente|medico|professor) |
        (first|last|full|middle|maiden|given|family|sur|nick|social|person|legal)name |
        sobrenome | apelido |
        (mother|father|guardian|spouse|holder|customer|student)s?name |
        (employee|patient|contact|beneficiary|owner|manager|driver|parent)s?name |
        (recipient|payer|payee|buyer|billing|shipping|guest|member|client)s?name | mae |
        pai | nmae | npai | nomemae | nomepai | filiacao\d? | conjuge | responsavel |
        titular
    """,
        Kind.BIRTH: r"""
        (dt|data|dat|dta)?(de)?nasc(imento|im|to)? | birth(day|date|dt)? | dateofbirth |
        dob | (dt|data)nasc\w* | born(on|at|date)? | aniversario
    """,
        Kind.ADDRESS: r"""
        enderec(o|os)?\w{0,8} | logradouro | street\w* |
        (home|postal|mailing|street)address | address(line)?\d? | addr\d? | rua | cep |
        zip(code)? | postalcode | postcode | bairro
    """,
        Kind.BANK: r"""
        (nro|num|numero|nr)?conta(corrente|bancaria|pagamento|poupanca) | nroconta |
        bankaccount\w* | iban | agencia(bancaria)? | ctdepsa | bcdepsa | chavepix |
        pix(key)? | (card|cartao)number
    """,
        Kind.IMAGE: r"""
        foto(grafia)? | photo(graph)? | picture | avatar | biometri\w* | fingerprint |
        digitais | assinatura(digital)? | signature(image)? | faceid | imagempessoa |
        selfie
    """,
        Kind.SENSITIVE: r"""
        raca(cor)? | corraca | etnia | race | ethnicity | religi\w* | sindicaliza\w* |
        unionname | tiposang\w* | bloodtype | deficien\w* | disabilit\w* | cid(10)? |
        diagnos\w* | doenca\w* | orientacaosexual | sexualorientation |
        partido(politico)? | politicalparty | health\w* | sindicato | tradeunion |
        alergias? | allerg\w* | laudo\w* | prontuario
    """,
        Kind.PROFILE: r"""
        sexo | gender | genero | estadocivil | estcivi\w* | maritalstatus |
        nacionalidade | nationality | naturalidade | birthplace | salario | salary |
        wage | remuneracao | grauinstrucao | escolaridade | matricula | chapa |
        registration(number|no)? | ra | registroacademico | employee(no|number)
    """,
    }
)
# Personal only where the table is about people, or the content says so.
_WEAK = _compiled(
    {
        Kind.NAME: r"""
        nome? | name | nom | nreduz | nomefantasia | fantasia | contato | contact |
        username | login | razaosocial | \w{3,14}(nome|name) | nome\w{3,14} | author |
        autor | requester | solicitante
    """,
        Kind.ADDRESS: r"""
        end | complement\w* | compl | cidade | city | municipio | numero | delivery |
        entrega | state | line
    """,
        Kind.PHONE: r"""
        ddd | ramal | contactinfo
    """,
        Kind.FREE_TEXT: r"""
        obs\w{0,14} | notas? | notes? | comment\w* | comentario\w* | remarks? |
        historico\w* | memo | texto | text | message | mensagem | details? | detalhes? |
        body | anotac\w* | description | descricao | justificativa | reason | motivo |
        payload | content | conteudo
    """,
        Kind.BIRTH: r"""
        idade | age
    """,
        Kind.IMAGE: r"""
        imagem | image | scan | anexo | attachment
    """,
        Kind.PROFILE: r"""
        mat | registro
    """,
        Kind.SENSITIVE: r"""
        cor
    """,
    }
)
# A word of a longer name, `telefone_empresa`: personal where the table is about people.
_WORDS = _compiled(
    {
        Kind.CPF: "cpf",
        Kind.RG: "rg | identidade",
        Kind.PIS: "pis | pasep | nis | nit",
        Kind.DOCUMENT: r"""
        cnh | passaporte | passport | eleit\w* | ctps | certidao | termo | livro | folha | sus |
        trabalho | comprovante
    """,
        Kind.EMAIL: "e?mail",
        Kind.PHONE: r"telefone | celular | fone | phone | mobile | whatsapp",
        Kind.BIRTH: r"nasc\w* | birth\w* | obito | death",
        Kind.ADDRESS: r"endereco\w* | logradouro | bairro | cep | address | residencia | compl\w*",
        Kind.SENSITIVE: r"""
        raca | etnia | indigena | religiao | religion | deficiencia | sindicato | sangue | doenca
    """,
        Kind.PROFILE: r"""
        renda | salario | salary | income | ocupacao | profissao | cargo | sexo | gender | conjuge |
        casamento | uniao
    """,
        Kind.NAME: r"nome | sobrenome | name | surname | contato | contact",
        Kind.FREE_TEXT: r"obs | observac\w* | comentario\w* | comments? | remarks?",
    }
)
_HOUSE = r"(ds|cd|nr|nm|no|dt|in|tx|st|num|nro|cod|txt|des|desc|ref|ref_cod)_(.+)"
_ABOUT_A_LIST = frozenset(("id", "cod", "tipo", "type", "flag", "exigir", "sigla", "is", "has"))
_PEOPLE = re.compile(
    r"pessoa|people|person|func(ionario)?s?$|employee|worker|aluno|student|client|customer|usuario"
    r"|user|depend|contat|contact|patient|pacient|holder|titular|member|socio|professor|teacher"
    r"|candidat|applicant|fornec|supplier|medic|doctor|guest|hospede|guardian|responsav|sra\d*|sa1"
    r"|srb|ppessoa|pfunc|saluno|fcfo|gusuario|visit|party|profile|cadastro|passenger"
    r"|enderec|address|fisica|documento"
)
_THINGS = re.compile(
    r"file|arquivo|column|coluna|table|tabela|host|server|domain|product|produto|item|event|evento"
    r"|group|grupo|role|perfil|class|type|tipo|status|bank|banco|company|empresa|city|cidade|course"
    r"|curso|subject|disciplina|index|schema|app|module|modulo|field|campo|display|brand|marca"
)


def looks_by_name(column: str) -> Named | None:
    """Tells what a column's name says: all of it, the part after a house's prefix, or a word."""
    wholes = [_bare(column)]
    if prefixed := re.fullmatch(_HOUSE, _plain(column)):
        # `nm_cliente` is the client's name, `ds_nome` and `cd_cpf` are name and CPF.
        named = "nome" if prefixed[1] in {"nm", "no"} else ""
        wholes.append(_bare(named + prefixed[2]))
    return _whole(wholes) or _of_a_word(wholes[0], _words(column))


def _whole(names: Sequence[str]) -> Named | None:
    for bare in names:
        for kind, pattern in _STRONG.items():
            if pattern.fullmatch(bare):
                return Named(kind, strong=True)
    for bare in names:
        for kind, pattern in _WEAK.items():
            if pattern.fullmatch(bare) and not _a_thing_s_name(kind, bare):
                return Named(kind, strong=False)
    return None


def _of_a_word(bare: str, words: Sequence[str]) -> Named | None:
    if words[0] in _ABOUT_A_LIST:
        return None
    for kind, pattern in _WORDS.items():
        if any(map(pattern.fullmatch, words)) and not _a_thing_s_name(kind, bare):
            return Named(kind, strong=False)
    return None


def _a_thing_s_name(kind: Kind, bare: str) -> bool:
    return kind is Kind.NAME and _THINGS.search(bare) is not None


def about_people(table: str) -> bool:
    """Tells whether a table's name says that its rows are people."""
    return _PEOPLE.search(_plain(table)) is not None


@cache
def _bare(name: str) -> str:
    """Takes separators, a Protheus prefix (`RA_`, `A1_`, `ZZ9_`) and last digits off a name."""
    without = re.sub(r"^[A-Z][A-Z0-9]{1,2}_(?=[A-Z0-9]+$)", "", name)
    return re.sub(r"[^a-z0-9]", "", _plain(without)).rstrip("0123456789")


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z]+", _plain(spaced)) or [""]


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).lower()
