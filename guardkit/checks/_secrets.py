"""Answers yes where a key, token or password stands, and labels each find with its kind.

A shape is how the keys of one vendor begin and go on, with its checksum where it has one. A value
without a shape counts where a name (`api_key = …`, `password: …`) or a header (`Authorization:
Bearer …`) says what it is. Each find is a span whose `{label}` is the kind in capitals:
`GITHUB_TOKEN`. Of an assignment only the value is covered, of a server's address all of it.

Why it matters
    A key in a prompt, a tool's answer or a reply is a break-in that waits. Models repeat what they
    read, and whoever reads the log has the key. Most keys have a shape, so this costs next to
    nothing and is hardly ever wrong.

Known misses
    Passwords in a sentence that does not call them so, passwords of letters only, keys of vendors
    that gave them no shape unless a name stands before, keys split over lines or messages. What
    says that it is a stand-in (`YOUR_KEY`, `EXAMPLE`, `xxxx`, `<token>`, `sk-…`, one character six
    times) is no secret. Known secrets are found as they are, backwards and in every encoding that
    a view undoes, not in parts.

Example
    check keys = secrets {
      entropy 3.5
    }
    check ours = secrets {
      kinds [aws_access_key, github_token, private_key]
      known "secrets/canaries.txt"
    }

Options
    kinds: the kinds to find, from the list below; all when left out
    entropy: how many bits a character of a key without a shape has to carry, up to 8; 3.5 when left
        out; values in hexadecimal digits need half a bit less
    known: a text file inside the policy's folder, one secret of yours a line, 6 to 512 characters
    label: what `{label}` stands for in a rewrite; the kind in capitals when left out
    views: raw, cleaned, folded, all; all when left out

    Without a shape: `api_key` and `password` by their names, `bearer_token` by its header,
    `private_key` by its line of dashes. Found in `known`: `KNOWN_SECRET`, whatever the kinds.

    `abuseipdb_key` `adobe_secret` `adyen_key` `age_key` `airtable_token` `aiven_token`
    `alchemy_url` `algolia_key` `alibaba_access_key` `amqp_url` `anthropic_key` `api_key`
    `apify_token` `artifactory_key` `artifactory_token` `asana_token` `assemblyai_key`
    `atlassian_token` `auth0_secret` `aws_access_key` `aws_appsync_key` `aws_bedrock_key`
    `aws_mws_token` `aws_secret_key` `aws_session_token` `axiom_token` `azure_ad_secret`
    `azure_container_key` `azure_devops_token` `azure_key` `azure_openai_key` `azure_sas`
    `azure_shared_key` `basic_auth_url` `bearer_token` `binance_key` `bitbucket_token`
    `bitcoin_private_key` `bitly_token` `box_secret` `braintree_token` `brevo_key` `bugsnag_key`
    `buildkite_token` `canva_secret` `cerebras_key` `chargebee_key` `circleci_token`
    `clickup_token` `clojars_token` `cloudflare_key` `cloudinary_secret` `codacy_token`
    `codecov_token` `cohere_key` `coinbase_key` `coinbase_secret` `confluent_key`
    `connection_string` `contentful_token` `crates_token` `database_url` `databricks_token`
    `datadog_app_key` `datadog_key` `deepgram_key` `deepl_key` `deno_token` `digitalocean_token`
    `discord_secret` `discord_token` `discord_webhook` `docker_token` `doppler_token`
    `dropbox_token` `duffel_token` `dynatrace_token` `easypost_key` `elastic_key`
    `elevenlabs_key` `ethereum_private_key` `etherscan_key` `facebook_secret` `facebook_token`
    `fastly_token` `figma_token` `finnhub_key` `firebase_server_key` `fireworks_key`
    `flutterwave_key` `fly_token` `frameio_token` `gcp_api_key` `gcp_service_account`
    `github_fine_token` `github_token` `gitlab_runner_token` `gitlab_token` `gitter_token`
    `gocardless_token` `google_chat_webhook` `google_maps_secret` `google_oauth_secret`
    `google_oauth_token` `google_refresh_token` `grafana_token` `groq_key` `heroku_key`
    `heroku_legacy_key` `honeycomb_key` `hubspot_token` `huggingface_token` `ibm_cloud_key`
    `infisical_token` `infura_secret` `infura_url` `instagram_secret` `instagram_token`
    `intercom_token` `ionic_token` `jina_key` `jwk_private_key` `jwt` `kraken_key`
    `kucoin_secret` `langfuse_key` `langsmith_key` `launchdarkly_key` `linear_key`
    `linkedin_legacy_secret` `linkedin_secret` `lob_key` `logfire_token` `mailchimp_key`
    `mailgun_key` `mandrill_key` `mapbox_token` `mistral_key` `mongodb_atlas_key` `mongodb_url`
    `mysql_url` `neon_key` `netlify_token` `newrelic_browser_key` `newrelic_key` `notion_token`
    `npm_token` `nuget_key` `nvidia_key` `oauth_client_secret` `okta_legacy_token` `okta_token`
    `onepassword_key` `onepassword_token` `openai_key` `openrouter_key` `openweather_key`
    `opsgenie_key` `packagist_token` `paddle_key` `pagerduty_legacy_key` `password`
    `paypal_secret` `perplexity_key` `pinecone_key` `plaid_secret` `plaid_token`
    `planetscale_token` `postgres_url` `posthog_key` `postman_key` `postmark_token`
    `prefect_key` `private_key` `pulumi_token` `pusher_secret` `pypi_token` `rapidapi_key`
    `razorpay_key` `readme_key` `reddit_secret` `redis_url` `render_key` `replicate_token`
    `resend_key` `rollbar_token` `rubygems_key` `salesforce_token` `scaleway_key`
    `scalingo_token` `segment_key` `sendgrid_key` `sentry_legacy_token` `sentry_token`
    `shippo_token` `shodan_key` `shopify_token` `slack_app_token` `slack_token` `slack_webhook`
    `snyk_legacy_token` `snyk_token` `sonar_token` `sourcegraph_token` `spotify_secret`
    `square_secret` `square_token` `stripe_key` `stripe_publishable_key` `stripe_webhook_secret`
    `sumologic_key` `supabase_key` `tailscale_key` `tavily_key` `teams_webhook` `telegram_token`
    `tencent_secret_id` `terraform_token` `together_key` `travis_token` `trello_token`
    `twilio_auth_token` `twilio_key` `twitch_secret` `twitter_bearer` `twitter_secret`
    `typeform_token` `vault_token` `vercel_legacy_token` `vercel_token` `virustotal_key`
    `voyage_key` `wandb_key` `wireguard_key` `woocommerce_key` `wordpress_secret` `xai_key`
    `yahoo_secret` `yandex_key` `yandex_token` `zapier_webhook` `zendesk_token` `zoho_token`
    `zoom_secret`.

Cost
    Shares `scan`: the shapes join the one pass over the text, about 13 µs for 1 KB. A text with the
    beginning of a shape or a telling name costs about 10 µs more for each.

Data it reads
    The text and its views; its file, when the policy is compiled and at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import LABEL, VIEWS
from ._shared_costs import scan_cost

ENTROPY = 3.5
"""How many bits a character of a key without a shape has to carry, unless the policy says."""

# fmt: off
KINDS: tuple[str, ...] = (
    "abuseipdb_key", "adobe_secret", "adyen_key", "age_key", "airtable_token", "aiven_token",
    "alchemy_url", "algolia_key", "alibaba_access_key", "amqp_url", "anthropic_key", "api_key",
    "apify_token", "artifactory_key", "artifactory_token", "asana_token", "assemblyai_key",
    "atlassian_token", "auth0_secret", "aws_access_key", "aws_appsync_key", "aws_bedrock_key",
    "aws_mws_token", "aws_secret_key", "aws_session_token", "axiom_token", "azure_ad_secret",
    "azure_container_key", "azure_devops_token", "azure_key", "azure_openai_key", "azure_sas",
    "azure_shared_key", "basic_auth_url", "bearer_token", "binance_key", "bitbucket_token",
    "bitcoin_private_key", "bitly_token", "box_secret", "braintree_token", "brevo_key",
    "bugsnag_key", "buildkite_token", "canva_secret", "cerebras_key", "chargebee_key",
    "circleci_token", "clickup_token", "clojars_token", "cloudflare_key", "cloudinary_secret",
    "codacy_token", "codecov_token", "cohere_key", "coinbase_key", "coinbase_secret",
    "confluent_key", "connection_string", "contentful_token", "crates_token", "database_url",
    "databricks_token", "datadog_app_key", "datadog_key", "deepgram_key", "deepl_key", "deno_token",
    "digitalocean_token", "discord_secret", "discord_token", "discord_webhook", "docker_token",
    "doppler_token", "dropbox_token", "duffel_token", "dynatrace_token", "easypost_key",
    "elastic_key", "elevenlabs_key", "ethereum_private_key", "etherscan_key", "facebook_secret",
    "facebook_token", "fastly_token", "figma_token", "finnhub_key", "firebase_server_key",
    "fireworks_key", "flutterwave_key", "fly_token", "frameio_token", "gcp_api_key",
    "gcp_service_account", "github_fine_token", "github_token", "gitlab_runner_token",
    "gitlab_token", "gitter_token", "gocardless_token", "google_chat_webhook", "google_maps_secret",
    "google_oauth_secret", "google_oauth_token", "google_refresh_token", "grafana_token",
    "groq_key", "heroku_key", "heroku_legacy_key", "honeycomb_key", "hubspot_token",
    "huggingface_token", "ibm_cloud_key", "infisical_token", "infura_secret", "infura_url",
    "instagram_secret", "instagram_token", "intercom_token", "ionic_token", "jina_key",
    "jwk_private_key", "jwt", "kraken_key", "kucoin_secret", "langfuse_key", "langsmith_key",
    "launchdarkly_key", "linear_key", "linkedin_legacy_secret", "linkedin_secret", "lob_key",
    "logfire_token", "mailchimp_key", "mailgun_key", "mandrill_key", "mapbox_token", "mistral_key",
    "mongodb_atlas_key", "mongodb_url", "mysql_url", "neon_key", "netlify_token",
    "newrelic_browser_key", "newrelic_key", "notion_token", "npm_token", "nuget_key", "nvidia_key",
    "oauth_client_secret", "okta_legacy_token", "okta_token", "onepassword_key",
    "onepassword_token", "openai_key", "openrouter_key", "openweather_key", "opsgenie_key",
    "packagist_token", "paddle_key", "pagerduty_legacy_key", "password", "paypal_secret",
    "perplexity_key", "pinecone_key", "plaid_secret", "plaid_token", "planetscale_token",
    "postgres_url", "posthog_key", "postman_key", "postmark_token", "prefect_key", "private_key",
    "pulumi_token", "pusher_secret", "pypi_token", "rapidapi_key", "razorpay_key", "readme_key",
    "reddit_secret", "redis_url", "render_key", "replicate_token", "resend_key", "rollbar_token",
    "rubygems_key", "salesforce_token", "scaleway_key", "scalingo_token", "segment_key",
    "sendgrid_key", "sentry_legacy_token", "sentry_token", "shippo_token", "shodan_key",
    "shopify_token", "slack_app_token", "slack_token", "slack_webhook", "snyk_legacy_token",
    "snyk_token", "sonar_token", "sourcegraph_token", "spotify_secret", "square_secret",
    "square_token", "stripe_key", "stripe_publishable_key", "stripe_webhook_secret",
    "sumologic_key", "supabase_key", "tailscale_key", "tavily_key", "teams_webhook",
    "telegram_token", "tencent_secret_id", "terraform_token", "together_key", "travis_token",
    "trello_token", "twilio_auth_token", "twilio_key", "twitch_secret", "twitter_bearer",
    "twitter_secret", "typeform_token", "vault_token", "vercel_legacy_token", "vercel_token",
    "virustotal_key", "voyage_key", "wandb_key", "wireguard_key", "woocommerce_key",
    "wordpress_secret", "xai_key", "yahoo_secret", "yandex_key", "yandex_token", "zapier_webhook",
    "zendesk_token", "zoho_token", "zoom_secret",
)
# fmt: on
"""Every kind, by name; a test holds them against the shapes."""

SPEC = CheckSpec(
    kind="secrets",
    summary="Answers yes where a key, token or password stands, and labels each find with its kind",
    answers="answer",
    cost=scan_cost(2.0),
    properties=(
        PropertySpec("kinds", "words", "the kinds to find; all when left out", choices=KINDS),
        PropertySpec(
            "entropy",
            "number",
            "how many bits a character of a key without a shape has to carry; 3.5 when left out",
            minimum=0.1,
            maximum=8.0,
        ),
        PropertySpec("known", "file", "a text file, one secret of yours a line"),
        LABEL,
        VIEWS,
    ),
    spans=True,
    # Every find is known as one within these characters; a longer one grows while it arrives.
    width=512,
    yes_rate=0.005,
)
