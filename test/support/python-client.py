"""Python's Valkey clients, driven by lines of JSON: one request in, one answer out.

{"op": "open", "session": 1, "host", "port", "username", "password", "tls", "ca"}   ("uri" instead: valkey-py only)
{"op": "call", "session": 1, "args": ["SET", "k", "v"]}
{"op": "close", "session": 1}
Answers: {"reply": text} or {"error": text}.
"""

import asyncio
import json
import sys
import tempfile


def text(reply):
    if isinstance(reply, bytes):
        return reply.decode()
    if isinstance(reply, bool):
        return "OK" if reply else "0"
    return "" if reply is None else str(reply)


def open_valkey_py(request):
    import valkey
    from valkey.backoff import NoBackoff
    from valkey.retry import Retry

    options = {"socket_timeout": 10, "retry": Retry(NoBackoff(), 0), "single_connection_client": True}
    if request["tls"]:
        ca = tempfile.NamedTemporaryFile("w", suffix=".pem")
        ca.write(request["ca"])
        ca.flush()
        options |= {"ssl_ca_certs": ca.name, "ssl_check_hostname": True, "ssl_cert_reqs": "required"}
    if "uri" in request:
        client = valkey.from_url(request["uri"], **options)
    else:
        if request["tls"]:
            options["ssl"] = True
        names = ("host", "port", "username", "password")
        client = valkey.Valkey(**{name: request[name] for name in names}, **options)
    client.ping()
    if request["tls"]:
        client.keep_ca = ca
    return client


def open_glide(request):
    from glide import (
        AdvancedGlideClientConfiguration,
        BackoffStrategy,
        GlideClient,
        GlideClientConfiguration,
        NodeAddress,
        ServerCredentials,
        TlsAdvancedConfiguration,
    )

    tls = TlsAdvancedConfiguration(root_pem_cacerts=request["ca"].encode()) if request["tls"] else None
    return GlideClient.create(
        GlideClientConfiguration(
            [NodeAddress(request["host"], request["port"])],
            use_tls=request["tls"],
            credentials=ServerCredentials(username=request["username"], password=request["password"]),
            request_timeout=1000,
            reconnect_strategy=BackoffStrategy(1, 10, 2),
            advanced_config=AdvancedGlideClientConfiguration(connection_timeout=5000, tls_config=tls),
        )
    )


def main():
    library = sys.argv[1]
    sessions = {}
    loop = asyncio.new_event_loop()
    for line in sys.stdin:
        request = json.loads(line)
        session = request["session"]
        try:
            if request["op"] == "open":
                result = (open_glide if library == "glide" else open_valkey_py)(request)
            elif request["op"] == "close":
                result = sessions.pop(session).close()
            elif library == "glide":
                result = sessions[session].custom_command(request["args"])
            else:
                result = sessions[session].execute_command(*request["args"])
            if library == "glide":
                result = loop.run_until_complete(result)
            if request["op"] == "open":
                sessions[session] = result
            answer = {"reply": text(result) if request["op"] == "call" else ""}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
