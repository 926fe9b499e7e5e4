"""Whether what is said about reaching Kafka securely is complete, so that a start ends instead of trying for ever."""

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the settings check themselves with this
    from services.runtime.settings import SharedSettings


def refuse_incomplete_security(settings: "SharedSettings") -> None:
    """Raise ValueError, naming the variables, when credentials are missing or certificates cannot be read."""
    if settings.kafka_security_protocol.startswith("SASL"):
        _refuse_missing_credentials(settings)
    if settings.kafka_security_protocol.endswith("SSL"):
        ssl_context(settings)


def _refuse_missing_credentials(settings: "SharedSettings") -> None:
    mechanism = f"KAFKA_SASL_MECHANISM={settings.kafka_sasl_mechanism}"
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        if settings.kafka_sasl_oauth_token is None and settings.kafka_sasl_oauth_token_file is None:
            raise ValueError(f"KAFKA_SASL_OAUTH_TOKEN or KAFKA_SASL_OAUTH_TOKEN_FILE is needed for {mechanism}")
    elif settings.kafka_sasl_username is None or settings.kafka_sasl_password is None:
        raise ValueError(f"KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed for {mechanism}")


def ssl_context(settings: "SharedSettings") -> ssl.SSLContext:
    """What TLS needs, read from the files anew. Raises ValueError naming the variable of a file that is no PEM."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"KAFKA_SSL_CAFILE: holds no certificate that can be read as PEM ({error})") from error
    if settings.kafka_ssl_certfile is not None:
        try:
            context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
        except OSError as error:
            names = "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE"
            raise ValueError(f"{names}: not a certificate and its key as PEM ({error})") from error
    return context
