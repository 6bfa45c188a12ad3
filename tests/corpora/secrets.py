"""Secrets that must never be shown, and ordinary texts that must come through unchanged.

No secret is real, and none is written out: each is put together from a prefix and letters drawn with a fixed seed, so
that scanners of repositories have nothing to find.
"""

import base64
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits
URLSAFE = ALNUM + "-_"


@dataclass(frozen=True)
class Secret:
    """One secret.

    Attributes:
        name: Unique in the corpus.
        value: The text that must not be shown.
        how: What tells it: the name it stands under ("key"), its own shape wherever it stands ("shape"), or that it
            stood under a secret's name before ("seen").
        key: The name it stands under in a store.
        forms: Texts it may appear in; those of a "seen" secret are known for that only once it was seen under its key.
    """

    name: str
    value: str
    how: Literal["key", "shape", "seen"]
    key: str
    forms: tuple[str, ...]


def drawn(name: str, alphabet: str, length: int) -> str:
    """Letters of an alphabet, the same for the same name; with a digit and a letter among the first."""
    chance = random.Random(name)
    letters = [chance.choice(alphabet) for _ in range(length)]
    digits = [letter for letter in alphabet if letter.isdigit()]
    others = [letter for letter in alphabet if letter.isalpha()]
    if digits and others and length > 4:
        letters[3] = chance.choice(digits)
        letters[1] = chance.choice(others)
    return "".join(letters)


# Prefix, alphabet, length, suffix.
_TOKENS: dict[str, tuple[str, str, int]] = {
    "openai": ("sk" + "-", ALNUM, 48),
    "openai-project": ("sk" + "-proj-", URLSAFE, 120),
    "openai-service": ("sk" + "-svcacct-", URLSAFE, 100),
    "openai-admin": ("sk" + "-admin-", URLSAFE, 100),
    "anthropic": ("sk" + "-ant-api03-", URLSAFE, 95),
    "anthropic-admin": ("sk" + "-ant-admin01-", URLSAFE, 80),
    "openrouter": ("sk" + "-or-v1-", HEX, 64),
    "deepseek": ("sk" + "-", HEX, 32),
    "langfuse": ("sk" + "-lf-", HEX, 36),
    "litellm-master": ("sk" + "-", ALNUM, 20),
    "groq": ("gs" + "k_", ALNUM, 52),
    "xai": ("xa" + "i-", ALNUM, 80),
    "perplexity": ("pp" + "lx-", ALNUM, 48),
    "tavily": ("tv" + "ly-", ALNUM, 32),
    "tavily-dev": ("tv" + "ly-dev-", ALNUM, 32),
    "nvidia": ("nva" + "pi-", URLSAFE, 64),
    "firecrawl": ("f" + "c-", HEX, 32),
    "cerebras": ("cs" + "k-", LOWER, 48),
    "replicate": ("r" + "8_", ALNUM, 37),
    "fireworks": ("f" + "w_", ALNUM, 24),
    "pinecone": ("pc" + "sk_", ALNUM, 60),
    "jina": ("ji" + "na_", ALNUM, 56),
    "huggingface": ("h" + "f_", ALNUM, 34),
    "huggingface-org": ("api_" + "org_", ALNUM, 34),
    "together": ("tgp_" + "v1_", ALNUM, 43),
    "langsmith": ("lsv2_" + "pt_", HEX, 32),
    "langsmith-service": ("lsv2_" + "sk_", HEX, 32),
    "anyscale": ("ese" + "cret_", ALNUM, 40),
    "wandb": ("wandb_" + "v1_", ALNUM, 60),
    "elevenlabs": ("sk" + "_", HEX, 48),
    "e2b": ("e2" + "b_", HEX, 40),
    "voyage": ("p" + "a-", URLSAFE, 43),
    "bedrock": ("AB" + "SK", ALNUM, 110),
    "aws-access-key": ("AK" + "IA", UPPER, 16),
    "aws-temporary": ("AS" + "IA", UPPER, 16),
    "google-api": ("AI" + "za", URLSAFE, 35),
    "google-oauth": ("ya" + "29.", URLSAFE, 100),
    "google-client": ("GOC" + "SPX-", URLSAFE, 28),
    "google-refresh": ("1/" + "/0", URLSAFE, 60),
    "alibaba": ("LT" + "AI", ALNUM, 20),
    "digitalocean": ("dop_" + "v1_", HEX, 64),
    "digitalocean-oauth": ("doo_" + "v1_", HEX, 64),
    "heroku": ("HR" + "KU-", URLSAFE, 60),
    "databricks": ("da" + "pi", HEX, 32),
    "github": ("gh" + "p_", ALNUM, 36),
    "github-oauth": ("gh" + "o_", ALNUM, 36),
    "github-user": ("gh" + "u_", ALNUM, 36),
    "github-server": ("gh" + "s_", ALNUM, 36),
    "github-refresh": ("gh" + "r_", ALNUM, 70),
    "github-fine": ("github_" + "pat_", ALNUM + "_", 82),
    "gitlab": ("gl" + "pat-", URLSAFE, 20),
    "gitlab-runner": ("gl" + "rt-", URLSAFE, 20),
    "gitlab-deploy": ("gl" + "dt-", URLSAFE, 20),
    "gitlab-trigger": ("gl" + "ptt-", HEX, 40),
    "gitlab-agent": ("gl" + "agent-", URLSAFE, 50),
    "atlassian": ("ATA" + "TT3xFfGF0", URLSAFE, 150),
    "bitbucket": ("AT" + "BB", ALNUM, 32),
    "npm": ("np" + "m_", ALNUM, 36),
    "pypi": ("pypi-" + "AgEIcHlwaS5vcmc", URLSAFE, 100),
    "rubygems": ("ruby" + "gems_", HEX, 48),
    "crates": ("ci" + "o", ALNUM, 32),
    "nuget": ("oy" + "2", LOWER, 43),
    "docker": ("dckr_" + "pat_", URLSAFE, 27),
    "buildkite": ("bk" + "ua_", HEX, 40),
    "sourcegraph": ("sg" + "p_", HEX, 40),
    "netlify": ("nf" + "p_", ALNUM, 36),
    "slack-bot": ("xo" + "xb-", string.digits + "-", 40),
    "slack-user": ("xo" + "xp-", ALNUM, 60),
    "slack-refresh": ("xo" + "xe-1-", ALNUM, 60),
    "slack-app": ("xa" + "pp-1-", ALNUM, 70),
    "sendinblue": ("xkey" + "sib-", HEX, 64),
    "mailgun": ("ke" + "y-", HEX, 32),
    "twilio": ("S" + "K", HEX, 32),
    "resend": ("re" + "_a1B2c3D4_", ALNUM, 24),
    "stripe-live": ("sk_" + "live_", ALNUM, 24),
    "stripe-test": ("sk_" + "test_", ALNUM, 99),
    "stripe-restricted": ("rk_" + "live_", ALNUM, 24),
    "stripe-webhook": ("wh" + "sec_", ALNUM, 32),
    "shopify": ("shp" + "at_", HEX, 32),
    "shopify-secret": ("shp" + "ss_", HEX, 32),
    "square": ("sq0" + "csp-", URLSAFE, 43),
    "vault": ("hv" + "s.", URLSAFE, 90),
    "vault-batch": ("hv" + "b.", URLSAFE, 138),
    "doppler": ("dp" + ".pt.", ALNUM, 43),
    "grafana-cloud": ("gl" + "c_", ALNUM, 60),
    "grafana-service": ("gl" + "sa_", ALNUM, 32),
    "sentry": ("sntr" + "ys_", ALNUM, 60),
    "newrelic": ("NR" + "AK-", UPPER, 27),
    "tailscale": ("ts" + "key-auth-", ALNUM, 30),
    "pulumi": ("pu" + "l-", HEX, 40),
    "planetscale": ("pscale_" + "tkn_", URLSAFE, 43),
    "supabase": ("sb" + "p_", HEX, 40),
    "age": ("AGE-SECRET-" + "KEY-1", UPPER, 58),
    "linear": ("lin_" + "api_", ALNUM, 40),
    "notion": ("nt" + "n_", ALNUM, 46),
    "notion-old": ("sec" + "ret_", ALNUM, 43),
    "figma": ("fi" + "gd_", URLSAFE, 40),
    "contentful": ("CF" + "PAT-", ALNUM, 43),
    "dropbox": ("s" + "l.", URLSAFE, 130),
}


def _jwt(name: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    payload = base64.urlsafe_b64encode(f'{{"sub":"{name}","admin":true}}'.encode()).decode().rstrip("=")
    return f"{header}.{payload}.{drawn(name, URLSAFE, 43)}"


_COMPOSED: dict[str, str] = {
    "sendgrid": "S" + f"G.{drawn('sendgrid', URLSAFE, 22)}.{drawn('sendgrid-2', URLSAFE, 43)}",
    "telegram": f"{drawn('telegram', '123456789', 10)}:A" + "A" + drawn("telegram-2", URLSAFE, 33),
    "discord": f"M{drawn('discord', ALNUM, 25)}.{drawn('discord-2', ALNUM, 6)}.{drawn('discord-3', URLSAFE, 38)}",
    "mailchimp": f"{drawn('mailchimp', HEX, 32)}-us" + "21",
    "azure-client": f"{drawn('az', ALNUM, 3)}8" + "Q~" + drawn("azure", ALNUM, 34),
    "azure-openai": drawn("azure-openai", ALNUM, 52) + "JQQ" + "J99" + drawn("azure-openai-2", ALNUM, 26),
    "terraform": drawn("terraform", ALNUM, 14) + ".atlas" + "v1." + drawn("terraform-2", ALNUM, 67),
    "airtable": "pa" + f"t{drawn('airtable', ALNUM, 14)}.{drawn('airtable-2', HEX, 64)}",
    "hubspot": f"pat-na1-{drawn('hubspot', HEX, 8)}-{drawn('h2', HEX, 4)}-{drawn('h3', HEX, 4)}-{drawn('h4', HEX, 20)}",
    "postman": "PM" + f"AK-{drawn('postman', HEX, 24)}-{drawn('postman-2', HEX, 34)}",
    "jwt": _jwt("jwt"),
    "jwt-long": _jwt("a-long-subject-" * 12),
}


def _around(value: str) -> tuple[str, ...]:
    """Texts that hold a secret which its shape alone gives away."""
    return (
        value,
        f"Using {value} for this call",
        f"({value})",
        f"'{value}',",
        f"key\\n{value}\\nnext",
        f"https://api.example.com/v1?x=1&k={value}&y=2",
        f"401 Unauthorized: incorrect API key provided: {value}.",
    )


def _private_key(kind: str) -> str:
    body = "\n".join(drawn(f"{kind}{line}", ALNUM + "+/", 64) for line in range(12))
    return f"-----BEGIN {kind}PRIVATE" + f" KEY-----\n{body}\n-----END {kind}PRIVATE" + " KEY-----"


def _shapes() -> list[Secret]:
    values = {name: prefix + drawn(name, alphabet, length) for name, (prefix, alphabet, length) in _TOKENS.items()}
    secrets = [
        Secret(f"shape-{name}", value, "shape", "note", _around(value)) for name, value in (values | _COMPOSED).items()
    ]
    for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "):
        pem = _private_key(kind)
        body = pem.split("-----")[2].strip()
        forms = (pem, f"key:\n{pem}\n", pem.replace("\n", "\\n"), pem[:400], pem[300:])
        secrets += [
            Secret(f"shape-pem-{kind.strip().lower() or 'plain'}-{line}", part, "shape", "note", forms)
            for line, part in enumerate(body.split("\n")[5:7])
        ]
    return secrets


# A name and a value that has no shape of its own: only the name tells.
_NAMED: tuple[tuple[str, str, int], ...] = (
    ("password", ALNUM, 14),
    ("PASSWORD", ALNUM, 9),
    ("passwd", ALNUM, 10),
    ("pwd", ALNUM, 8),
    ("passphrase", ALNUM, 22),
    ("db_password", ALNUM, 16),
    ("DB_PASS", ALNUM, 16),
    ("dbPassword", ALNUM, 12),
    ("PGPASSWORD", ALNUM, 12),
    ("MYSQL_ROOT_PASSWORD", ALNUM, 12),
    ("REDIS_PASSWORD", LOWER, 12),
    ("smtp_password", ALNUM, 12),
    ("userPassword", ALNUM, 12),
    ("api_key", ALNUM, 32),
    ("apiKey", HEX, 32),
    ("apikey", LOWER, 24),
    ("API_KEY", UPPER, 24),
    ("api-key", ALNUM, 40),
    ("X-API-Key", ALNUM, 40),
    ("OPENAI_API_KEY", HEX, 32),
    ("ANTHROPIC_API_KEY", HEX, 32),
    ("AZURE_OPENAI_KEY", HEX, 32),
    ("MISTRAL_API_KEY", ALNUM, 32),
    ("COHERE_API_KEY", ALNUM, 40),
    ("SERPAPI_API_KEY", HEX, 64),
    ("DATADOG_API_KEY", HEX, 32),
    ("WANDB_API_KEY", HEX, 40),
    ("access_key", ALNUM, 20),
    ("aws_secret_access_key", ALNUM + "/+", 40),
    ("AWS_SESSION_TOKEN", ALNUM + "/+", 120),
    ("secret", ALNUM, 32),
    ("secret_key", ALNUM, 50),
    ("client_secret", ALNUM, 40),
    ("clientSecret", ALNUM, 40),
    ("webhook_secret", HEX, 64),
    ("signing_secret", HEX, 32),
    ("signing_key", HEX, 64),
    ("encryption_key", HEX, 64),
    ("private_key", HEX, 64),
    ("privateKey", HEX, 64),
    ("token", HEX, 40),
    ("auth_token", HEX, 40),
    ("authToken", ALNUM, 40),
    ("access_token", ALNUM, 64),
    ("accessToken", ALNUM, 64),
    ("refresh_token", ALNUM, 64),
    ("id_token", ALNUM, 64),
    ("session_token", ALNUM, 64),
    ("csrf_token", ALNUM, 64),
    ("bot_token", ALNUM, 46),
    ("bearer_token", ALNUM, 40),
    ("bearer", ALNUM, 40),
    ("X-Auth-Token", ALNUM, 32),
    ("credential", ALNUM, 24),
    ("credentials", ALNUM, 24),
    ("AccountKey", ALNUM + "+/", 86),
    ("SharedAccessKey", ALNUM + "+/", 43),
    ("subscription_key", HEX, 32),
    ("master_key", ALNUM, 24),
    ("license_key", UPPER, 25),
    ("jwt_secret", ALNUM, 32),
    ("otp", string.digits, 6),
    ("ssn", string.digits, 9),
)


def _assigned(key: str, value: str) -> tuple[str, ...]:
    """Texts that give a value to the name of a secret."""
    return (
        f"{key}={value}",
        f"export {key}={value}\nnext line",
        f"{key} = '{value}'",
        f'{{"{key}": "{value}", "n": 1}}',
        f"{{'user': 'bob', '{key}': '{value}'}}",
        f"connect(host='db', {key}='{value}')",
        f'{{\\"{key}\\": \\"{value}\\"}}',
        f"server:\n  {key}: {value}\n  port: 80\n",
        f"https://api.example.com/v1?q=x&{key}={value}&page=2",
        f"tool --{key} {value} --verbose",
        f"Server=db;{key}={value};Database=x",
        f"<{key}>{value}</{key}>",
    )


def _names() -> list[Secret]:
    secrets = []
    for key, alphabet, length in _NAMED:
        value = drawn(f"key-{key}", alphabet, length)
        secrets.append(Secret(f"key-{key}", value, "key", key, _assigned(key, value)))
    symbols = {"password": "p@ss/w0rd!#1", "db_password": 'quo"te\\and space', "passphrase": "correct horse battery"}
    secrets += [
        Secret(f"key-symbols-{key}", value, "key", key, (f"{key}={value!r}", f'{{"{key}": {_json(value)}}}'))
        for key, value in symbols.items()
    ]
    return secrets + _urls() + _headers()


def _json(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _urls() -> list[Secret]:
    secrets = []
    for scheme in ("postgresql", "mysql+pymysql", "mongodb+srv", "redis", "amqp", "https", "ftp", "mssql"):
        value = drawn(f"url-{scheme}", ALNUM, 14)
        url = f"{scheme}://admin:{value}@db.example.com:5432/app"
        forms = (url, f"cannot connect to {url}: timeout", f"DATABASE_URL={url}", f'"url": "{url}"')
        secrets.append(Secret(f"key-url-{scheme}", value, "key", "connection_string", forms))
    return secrets


def _headers() -> list[Secret]:
    secrets = []
    headers: dict[str, Callable[[str], str]] = {
        "bearer": lambda value: f"Authorization: Bearer {value}",
        "token": lambda value: f"Authorization: token {value}",
        "basic": lambda value: f"Authorization: Basic {value}",
        "proxy": lambda value: f"Proxy-Authorization: Basic {value}",
        "cookie": lambda value: f"Cookie: theme=dark; sid={value}",
        "set-cookie": lambda value: f"Set-Cookie: sid={value}; Path=/; HttpOnly",
        "goog": lambda value: f"x-goog-api-key: {value}",
        "vault": lambda value: f"X-Vault-Token: {value}",
    }
    for name, header in headers.items():
        value = drawn(f"header-{name}", ALNUM, 28)
        line = header(value)
        key, _, rest = line.partition(": ")
        forms = (
            line,
            f"> {line}\r\n> Accept: */*",
            f"curl -H '{line}' x",
            f"{{'{key}': '{rest}'}}",
            f'"{key}": "{rest}"',
        )
        secrets.append(Secret(f"key-header-{name}", value, "key", key, forms))
    return secrets


def _seen() -> list[Secret]:
    """Secrets without shape that stood under their name before and turn up where nothing tells what they are."""
    values = {
        "word": ("password", "swordfish-9"),
        "phrase": ("passphrase", "correct horse battery staple"),
        "symbols": ("password", "!pA$$w0rd&more?"),
        "quotes": ("password", 'it\'s "quoted" \\ here'),
        "unicode": ("password", "пароль-секрет-ключ"),
        "lines": ("secret", "first line of it\nsecond line of it"),
        "digits": ("otp", "493817"),
        "hex": ("api_key", drawn("seen-hex", HEX, 32)),
        "uuid": ("client_secret", "0b5e7a3c-52f1-4f0e-9d9a-3c1f6c1d2e4b"),
        "base64": ("signing_key", base64.b64encode(drawn("seen-b64", ALNUM, 30).encode()).decode()),
        "long": ("token", drawn("seen-long", URLSAFE, 900)),
        "url": ("dsn", f"https://{drawn('seen-dsn', HEX, 32)}@o1.ingest.example.com/4"),
    }
    values |= {f"{key}-{n}": (key, drawn(f"seen-{key}-{n}", ALNUM, 10 + 3 * n)) for key in _SEEN_KEYS for n in range(3)}
    return [Secret(f"seen-{name}", value, "seen", key, _reappearing(value)) for name, (key, value) in values.items()]


_SEEN_KEYS = ("password", "api_key", "auth_token", "client_secret", "db_password", "credentials")


def _reappearing(value: str) -> tuple[str, ...]:
    from json import dumps
    from urllib.parse import quote, quote_plus

    return (
        value,
        f"logging in with {value} now",
        f"got {value!r}, expected something else",
        f"body: {dumps({'x': value})}",
        f"nested: {dumps(dumps({'x': value}))}",
        f"https://example.com/login/{quote(value, safe='')}/{quote_plus(value)}",
        f"b64 {base64.b64encode(value.encode()).decode()} and {base64.b64encode(('user:' + value).encode()).decode()}",
    )


SECRETS: list[Secret] = [*_shapes(), *_names(), *_seen()]

INNOCENT: list[str] = [
    "123e4567-e89b-12d3-a456-426614174000",
    "request 0b5e7a3c-52f1-4f0e-9d9a-3c1f6c1d2e4b took 12 ms",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "commit 8f7093a1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7 (HEAD -> main)",
    "md5 d41d8cd98f00b204e9800998ecf8427e  empty.txt",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    'etag: W/"5e8c-1715a9b2c80"',
    "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "SGVsbG8sIHdvcmxkISBUaGlzIGlzIHBsYWluIGJhc2U2NC4=",
    "The model uses 1204 tokens per request.",
    "prompt_tokens=12 completion_tokens=34 total_tokens=46",
    '{"usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}}',
    "max_tokens: 4096",
    "max_tokens=256, temperature=0.7",
    "The next token is predicted from the previous ones.",
    "Each token: a piece of a word.",
    "next_token=25",
    "eos_token: </s>",
    "tokenizer=cl100k_base",
    "token_count: 17",
    "A secret is something you keep to yourself.",
    "The secret of a good soup is time.",
    "He whispered the password to the guard.",
    "password: at least 8 characters",
    "Your password must have a digit.",
    "Password: must contain one symbol and two digits",
    "passwords are hashed before they are stored",
    "Forgot your password? Click here.",
    "Use --password to set one.",
    "the --token option is required",
    "password=None",
    "password: null",
    '{"password": null, "token": ""}',
    "api_key=os.environ['OPENAI_API_KEY']",
    'api_key = os.getenv("OPENAI_API_KEY")',
    "client = OpenAI(api_key=api_key)",
    "token = tokenizer.decode(ids)",
    "self.password = password",
    "password = input('Password: ')",
    "secret = secrets.token_hex(16)",
    "api_key: ${OPENAI_API_KEY}",
    "api_key=$OPENAI_API_KEY",
    "api_key=<your key>",
    "api_key=YOUR_API_KEY",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "curl -H 'Authorization: Bearer ${API_TOKEN}' https://example.com",
    "password=********",
    "token: string",
    "def login(user: str, password: str) -> None:",
    "bearer of bad news",
    "Bearer authentication is described in RFC 6750.",
    "basic understanding of flows",
    "Basic arithmetic: 2 + 2 = 4",
    "sk-learn",
    "pip install scikit-learn sk-learn-contrib",
    "sk-learn-pipeline",
    "task-1234567890abcdef1234567890",
    "disk-usage-report-2024-01-01",
    "risk-assessment-questionnaire",
    "ask-me-anything-about-pocketflow",
    "hf_hub_download and hf_transfer",
    "npm_config_registry",
    "re_compile_pattern_cache_size",
    "The ASIA region and AKIA acronyms.",
    "AIza is a prefix",
    "the key to success",
    "key: value",
    "primary_key=42 foreign_key=7",
    "sort_key: created_at",
    "cache_key=user:42:profile",
    "keyboard: qwerty",
    "monkey=chimp",
    "public_key_algorithm: ed25519",
    "author: Jane Doe",
    "authors: Jane, Joe and Jim",
    "authored-by: jane",
    "secretary: Mrs. Smith",
    "passenger: 42A",
    "compass: north",
    "passed: 12, failed: 0",
    "bypass=true",
    "$19.99",
    "price: 1,299.00 EUR",
    "ISBN 978-3-16-148410-0",
    "call +49 30 123456 or +1 (555) 010-9999",
    "jane.doe@example.com",
    "mailto:jane.doe+news@example.com?subject=Hi",
    "https://example.com/path/to/page?id=42&sort=asc#top",
    "https://example.com:8080/a@b/c",
    "http://localhost:8000/docs",
    "git@github.com:example/project.git",
    "ssh://git@github.com/example/project.git",
    "postgresql://localhost:5432/app",
    "redis://cache:6379/0",
    "s3://bucket/some/long/key/with/many-parts/2024-01-01/file.parquet",
    "/usr/local/lib/python3.11/site-packages/opentelemetry_instrumentation_threading/__init__.py",
    "opentelemetry-instrumentation-threading>=0.63b0",
    "C:\\Users\\jane\\Documents\\notes.txt",
    "2024-01-01T12:34:56.789012+00:00",
    "1.2.3-beta.4+build.567",
    "10.0.0.1:8080",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "00:1B:44:11:3A:B7",
    "lorem ipsum dolor sit amet, consectetur adipiscing elit",
    "supercalifragilisticexpialidocious",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "ACGTACGTACGTACGTACGTACGTACGTACGTACGTACGT",
    "3.14159265358979323846264338327950288",
    "the session id is 42",
    "session_id: 7f9c2ba4e88f827d616045507605853e",
    "cookie recipe: flour, butter and sugar",
    "chocolate cookies are ready",
    "pin the version in requirements.txt",
    "a pinned tweet",
    "x-request-id: 8c5e1f2a",
    "gpt-4o-mini-2024-07-18",
    "claude-sonnet-4-5-20250929",
    "text-embedding-3-small",
    "resp_68af2f1c",
    "chatcmpl-9xYzAbCdEfGh",
    "call_abc123def456",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
    '<div class="token">word</div>',
    "if password == other: raise ValueError",
    "鍵は机の上にあります。",
    "密码学是一门学科",
    "🔑 means key",
    "token://abc123def456",
    '{"secrets": [], "auth": {}}',
    '{"password": {"type": "string", "minLength": 8}}',
    'input("Password: ")',
]
"""Texts that resemble secrets, or what tells of them, and must come through unchanged."""

SECRET_KEYS: list[str] = [
    *dict.fromkeys(key for key, _, _ in _NAMED),
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "connection_string",
    "connectionString",
    "dsn",
    "SENTRY_DSN",
    "openai_key",
    "hf_token",
    "GITHUB_TOKEN",
    "user.password",
    "spring.datasource.password",
    "password2",
    "old_password",
    "passwordConfirmation",
    "api_keys",
    "access_tokens",
    "secrets",
    "auth",
    "basic_auth",
    "pin",
    "card_pin",
    "cvv",
    "credit_card",
    "seed_phrase",
    "ocp-apim-subscription-key",
    "x-amz-security-token",
    "aws_access_key_id",
    "APIKey",
    "密码",
]
"""Names that secrets stand under."""

INNOCENT_KEYS: list[str] = [
    "max_tokens",
    "maxTokens",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "tokens",
    "token_count",
    "tokenCount",
    "token_ids",
    "token_type",
    "token_limit",
    "token_usage",
    "tokens_per_second",
    "tokenizer",
    "next_token",
    "eos_token",
    "stop_token",
    "keyboard",
    "monkey",
    "primary_key",
    "foreign_key",
    "cache_key",
    "sort_key",
    "partition_key",
    "public_key",
    "key",
    "keys",
    "keywords",
    "author",
    "authors",
    "authored",
    "authority",
    "authenticated",
    "auth_type",
    "auth_url",
    "secretary",
    "passenger",
    "passengers",
    "compass",
    "passed",
    "pass_rate",
    "bypass",
    "passage",
    "password_policy",
    "password_min_length",
    "password_required",
    "secret_name",
    "api_key_name",
    "session_id",
    "user_id",
    "username",
    "client_id",
    "pinned",
    "spin",
    "opinion",
    "cookbook",
    "description",
    "messages",
    "question",
    "answer",
    "context",
    "",
    "🔑",
    "What is the password of the door in the story?",
]
"""Names that resemble those of secrets."""
