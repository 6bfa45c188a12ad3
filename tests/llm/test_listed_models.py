import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

from pocketflow_otel.llm import listed_models
from pocketflow_otel.llm.listed_models import ListedModels, provider_id

SNAPSHOT = get_snapshot()


@pytest.fixture(scope="module")
def models():
    return ListedModels(SNAPSHOT)


def found(models, provider, model):
    match = models.find(provider, model)
    return match and f"{match[0].id} {match[1].id}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai", "openai"),
        ("azure.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("az.ai.openai", "azure"),
        ("az.ai.inference", "azure"),
        ("anthropic", "anthropic"),
        ("gcp.gemini", "google"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gen_ai", "google"),
        ("google", "google"),
        ("gemini", "google"),
        ("vertex_ai", "google"),
        ("vertexai", "google"),
        ("aws.bedrock", "aws"),
        ("bedrock", "aws"),
        ("aws_bedrock", "aws"),
        ("mistral_ai", "mistral"),
        ("mistralai", "mistral"),
        ("cohere", "cohere"),
        ("groq", "groq"),
        ("deepseek", "deepseek"),
        ("perplexity", "perplexity"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
        ("moonshot_ai", "moonshotai"),
        ("openrouter", "openrouter"),
        ("together_ai", "together"),
        (" Groq ", "groq"),
        ("ibm.watsonx.ai", "ibm-watsonx-ai"),
        ("My Gateway", "my-gateway"),
        ("", None),
        (None, None),
    ],
)
def test_one_provider_has_one_id_however_it_is_spelled(name, expected):
    assert provider_id(name) == expected


def test_every_id_that_a_spelling_stands_for_is_listed():
    assert set(listed_models._SPELLINGS) <= {provider.id for provider in SNAPSHOT.providers}


def test_no_spelling_hides_a_listed_provider():
    assert {provider.id for provider in SNAPSHOT.providers}.isdisjoint(listed_models._IDS)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o-2024-08-06", "openai gpt-4o"),
        ("openai", "GPT-4o", "openai gpt-4o"),
        ("openai", "gpt-4.1-20250414", "openai gpt-4.1"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic claude-sonnet-4-5"),
        ("gcp.gemini", "models/gemini-2.5-flash", "google gemini-2.5-flash"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", "google gemini-2.5-pro"),
        ("gcp.vertex_ai", "projects/p/locations/us/publishers/google/models/gemini-2.5-pro", "google gemini-2.5-pro"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google claude-sonnet-4-5"),
        ("azure.ai.openai", "gpt-4o", "azure gpt-4o"),
        ("mistral_ai", "mistral-large-2411", "mistral mistral-large"),
        ("cohere", "command-r-plus-08-2024", "cohere command-r-plus"),
        ("deepseek", "deepseek-r1", "deepseek deepseek-reasoner"),
    ],
)
def test_names_are_found_as_vendors_return_them(models, provider, model, expected):
    assert found(models, provider, model) == expected


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "openai/gpt-4o", "openai gpt-4o"),
        (None, "openai/gpt-4o", "openai gpt-4o"),
        ("openrouter", "openai/gpt-4o", "openrouter openai/gpt-4o"),
        ("openai", "openrouter/openai/gpt-4o", "openrouter openai/gpt-4o"),
        ("openai", "anthropic/claude-sonnet-4-5", "anthropic claude-sonnet-4-5"),
        ("litellm", "deepseek/deepseek-chat", "deepseek deepseek-chat"),
        ("litellm", "cohere/command-r", "cohere command-r"),
        (None, "groq/llama-3.1-8b-instant", "groq llama-3.1-8b-instant"),
        ("openai", "azure/gpt-4o", "azure gpt-4o"),
        ("openai", "gemini/gemini-2.5-flash", "google gemini-2.5-flash"),
    ],
)
def test_a_routers_prefix_tells_the_provider(models, provider, model, expected):
    assert found(models, provider, model) == expected


@pytest.mark.parametrize("provider", [None, "anthropic", "aws.bedrock", "my-gateway"])
@pytest.mark.parametrize("prefix", ["", "us.", "bedrock/us.", "arn:aws:bedrock:us-east-1:1:inference-profile/us."])
def test_bedrocks_ids_are_bedrocks_whoever_the_client_is_of(models, provider, prefix):
    listed, model = models.find(provider, f"{prefix}anthropic.claude-sonnet-4-20250514-v1:0")
    assert listed.id == "aws"
    assert "claude-sonnet-4-20250514" in model.id


@pytest.mark.parametrize("provider", [None, "openai", "langchain"])
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", "openai gpt-4o"),
        ("claude-sonnet-4-5-20250929", "anthropic claude-sonnet-4-5"),
        ("gemini-2.5-flash", "google gemini-2.5-flash"),
        ("mistral-large-latest", "mistral mistral-large"),
        ("deepseek-chat", "deepseek deepseek-chat"),
    ],
)
def test_a_name_that_only_its_vendor_serves_needs_no_provider(models, provider, model, expected):
    assert found(models, provider, model) == expected


@pytest.mark.parametrize("provider", [None, "openai", "ollama", "vllm", "ibm.watsonx.ai", "anthropic"])
@pytest.mark.parametrize(
    "model",
    [
        "llama3.1",
        "llama3.1:8b",
        "my-model",
        "my-gpt-4o",
        "my-claude-clone",
        "gpt-oss:20b",
        "gpt-oss-20b",
        "openai/gpt-oss-20b",
        "deepseek-r1",
        "deepseek-r1:7b",
        "deepseek/deepseek-chat",
        "mistral",
        "mixtral-8x7b",
        "command-r",
        "qwen2.5:7b",
        "google/gemma-3-27b-it",
        "mistralai/Mistral-7B-Instruct-v0.3",
        "mistralai/mistral-large",
        "meta-llama/Llama-3.1-8B-Instruct",
        "gpt-9",
        "acme/gpt-4o",
        "acme/claude-sonnet-4-5",
        "/",
        "a/b/c",
        "groq/",
        " ",
    ],
)
def test_weights_that_anybody_serves_have_no_price_without_a_server(models, provider, model):
    assert found(models, provider, model) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [("groq", "gpt-4o"), ("openrouter", "gpt-9"), ("github-copilot", "claude-2"), ("azure.ai.openai", "gpt-oss-20b")],
)
def test_a_server_with_prices_of_its_own_has_no_others(models, provider, model):
    assert found(models, provider, model) is None


def test_a_server_that_sells_open_weights_prices_them(models):
    assert found(models, "groq", "openai/gpt-oss-20b") == "groq openai/gpt-oss-20b"
    assert found(models, "openai", "groq/openai/gpt-oss-20b") == "groq openai/gpt-oss-20b"


def test_a_list_without_the_usual_vendors_finds_what_it_has():
    groq = next(provider for provider in SNAPSHOT.providers if provider.id == "groq")
    models = ListedModels(DataSnapshot(providers=[groq], from_auto_update=False))
    assert found(models, "groq", "llama-3.1-8b-instant") == "groq llama-3.1-8b-instant"
    assert found(models, "openai", "gpt-4o") is None


def test_what_is_remembered_is_bounded():
    models = ListedModels(SNAPSHOT)
    for number in range(listed_models._REMEMBERED + 10):
        models.find("groq", f"model-{number}")
    assert models._find.cache_info().currsize == listed_models._REMEMBERED


def test_a_model_is_searched_for_once():
    models = ListedModels(SNAPSHOT)
    assert models.find("openai", "gpt-4o") is models.find("openai", "gpt-4o")
    assert models._find.cache_info().hits == 1
