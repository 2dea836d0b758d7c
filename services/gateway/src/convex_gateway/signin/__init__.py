"""How people sign in with a browser: by a token once or at an OIDC provider, then by a session's cookie."""
