//! Every key there is, with its default and what it does.

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Section and key, joined by a dot.
    pub path: &'static str,
    /// The default, as it would be written in the file.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether its value may be shown.
    pub secret: bool,
}

const fn field(path: &'static str, default: &'static str, about: &'static str) -> Field {
    Field {
        path,
        default,
        about,
        secret: false,
    }
}

/// Every key there is.
pub const FIELDS: &[Field] = &[
    field("data_dir", "\"/var/lib/strowger\"", "where the product keeps its state"),
    field(
        "master_key_file",
        "\"\"",
        "file with the master key, made at first start; empty: master.key in data_dir",
    ),
    field(
        "http.listen",
        "[\"127.0.0.1:8080\"]",
        "where the console and the REST interface listen",
    ),
    field(
        "http.tls",
        "\"auto\"",
        "HTTPS where: auto, on listeners other machines reach; always; never, in clear over the network",
    ),
    field(
        "tls.certificate",
        "\"\"",
        "PEM file with the certificate chain of console, SIP and TURN; empty: one is made and kept in data_dir",
    ),
    field("tls.key", "\"\"", "PEM file with the certificate's key"),
    field("http.public_url", "\"\"", "how people reach the console, for links"),
    field(
        "http.secure_cookies",
        "false",
        "mark cookies Secure; turn on behind HTTPS",
    ),
    field(
        "http.trusted_proxies",
        "[]",
        "addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed",
    ),
    field("http.metrics_public", "false", "let other machines read /metrics"),
    field("sip.udp", "[\"0.0.0.0:5060\"]", "where SIP listens on UDP"),
    field(
        "sip.tcp",
        "[]",
        "where SIP listens on TCP in clear, for phones and providers that have neither UDP nor TLS; 5060 is usual",
    ),
    field("sip.tls", "[\"0.0.0.0:5061\"]", "where SIP listens on TLS"),
    field(
        "sip.ca_file",
        "\"\"",
        "PEM file with authorities that providers' certificates may be from, besides the system's",
    ),
    field(
        "sip.advertised",
        "\"\"",
        "address written into Contact and Via; empty: the listener's own",
    ),
    field(
        "sip.max_calls",
        "1000",
        "most calls at once; further ones are refused with 503",
    ),
    field(
        "sip.requests_per_second",
        "200",
        "new requests a second taken from one address",
    ),
    field(
        "sip.user_agent",
        "\"Strowger\"",
        "what we call ourselves to phones and providers",
    ),
    field("media.bind", "\"0.0.0.0\"", "address RTP is bound to"),
    field(
        "media.advertised",
        "\"\"",
        "address written into SDP; empty: the address SIP was reached at",
    ),
    field("media.first_port", "16384", "first RTP port"),
    field("media.last_port", "32767", "last RTP port"),
    field("media.threads", "0", "media threads; 0: one a core"),
    field(
        "media.silence_timeout_s",
        "60",
        "end a leg that should be heard after so many seconds without RTP; 0: never",
    ),
    field("rooms.enabled", "true", "whether browsers and phones can meet in rooms"),
    field(
        "rooms.udp",
        "\"0.0.0.0:7882\"",
        "where media of rooms arrives: one UDP port for everybody",
    ),
    field(
        "rooms.tcp",
        "\"0.0.0.0:7881\"",
        "where it arrives from networks that let no UDP through; empty: nowhere",
    ),
    field(
        "rooms.advertised",
        "[]",
        "addresses browsers are told; empty: this machine's own",
    ),
    field("rooms.max_rooms", "10000", "most rooms at once"),
    field(
        "rooms.max_participants",
        "200",
        "most participants of one room that was not told otherwise",
    ),
    field(
        "rooms.resume_s",
        "18",
        "how long a participant stays whose connection was cut, in seconds",
    ),
    field(
        "rooms.webhooks_anywhere",
        "false",
        "let webhooks reach private networks and this machine; otherwise public addresses only",
    ),
    field("turn.enabled", "true", "whether the built-in TURN and STUN server runs"),
    field("turn.udp", "[\"0.0.0.0:3478\"]", "where TURN listens on UDP"),
    field("turn.tcp", "[\"0.0.0.0:3478\"]", "where TURN listens on TCP"),
    field(
        "turn.tls",
        "[]",
        "where TURN listens on TLS; port 443 passes networks that allow nothing else",
    ),
    field(
        "turn.host",
        "\"\"",
        "name clients are told, as in the certificate; empty: an address",
    ),
    field(
        "turn.advertised",
        "\"\"",
        "address clients are told; empty: the listener's, or this machine's own",
    ),
    field(
        "turn.certificate",
        "\"\"",
        "PEM file with a certificate chain of its own; empty: that of tls.certificate",
    ),
    field("turn.key", "\"\"", "PEM file with the certificate's key"),
    field("turn.realm", "\"strowger\"", "realm clients are asked for"),
    field("turn.first_port", "40000", "first relay port; 0 with last_port 0: any"),
    field("turn.last_port", "49151", "last relay port"),
    field(
        "turn.public_peers",
        "false",
        "let relays reach any public address; otherwise they reach our own rooms only",
    ),
    field(
        "turn.allowed_peers",
        "[]",
        "ranges relays may reach besides our rooms, such as 10.1.0.0/16",
    ),
    field("turn.relays", "2000", "most relays at once"),
    field(
        "turn.relays_per_participant",
        "16",
        "most relays at once of one participant; a browser opens several",
    ),
    field(
        "turn.kbit_per_second",
        "10000",
        "kilobits a second through one relay, both ways together",
    ),
    field(
        "turn.backups",
        "[]",
        "URLs of outside TURN and STUN servers clients try after ours",
    ),
    Field {
        secret: true,
        ..field(
            "turn.backup_secret",
            "\"\"",
            "secret shared with the outside TURN servers (coturn: static-auth-secret)",
        )
    },
    field(
        "voice_apps.networks",
        "[]",
        "ranges in which flows' voice apps may be besides public addresses, such as 127.0.0.1/32",
    ),
    Field {
        secret: true,
        ..field(
            "database.url",
            "\"\"",
            "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME; empty: SQLite in data_dir",
        )
    },
    field(
        "recording.reserve_mb",
        "512",
        "free space below which no new audio is captured",
    ),
    field(
        "storage.bucket",
        "\"\"",
        "bucket that finished recordings move to where a tenant's settings want it; empty: none",
    ),
    field(
        "storage.endpoint",
        "\"\"",
        "address of the S3-compatible store, such as https://minio.example:9000; empty: Amazon's",
    ),
    field("storage.prefix", "\"\"", "what the name of every object begins with"),
    field("storage.region", "\"us-east-1\"", "region requests are signed for"),
    field("storage.access_key", "\"\"", "name of the access key"),
    Field {
        secret: true,
        ..field(
            "storage.secret_key",
            "\"\"",
            "secret of the access key; a file is better",
        )
    },
    field(
        "storage.secret_key_file",
        "\"\"",
        "file with the secret of the access key, or the name of a systemd credential",
    ),
    field(
        "storage.path_style",
        "true",
        "bucket in the path of an address, as MinIO has it; false: in the host name",
    ),
    field(
        "storage.ca_file",
        "\"\"",
        "PEM file with the authority of the endpoint's certificate; empty: the system's",
    ),
    field("worker.supervise", "true", "start a worker as a child of the daemon"),
    field("worker.concurrency", "0", "jobs at once; 0: half the cores"),
    field(
        "worker.models_dir",
        "\"\"",
        "where speech models lie; empty: models in data_dir",
    ),
    field(
        "worker.model",
        "\"\"",
        "speech model to use; empty: the best one installed",
    ),
    field(
        "worker.providers_file",
        "\"\"",
        "list of language services outside of the worker; empty: none",
    ),
    field("log.level", "\"info\"", "log filter, such as info,strowger_sip=debug"),
    field("log.format", "\"pretty\"", "pretty, json or journald"),
    field(
        "shutdown.drain_s",
        "10",
        "how long calls may go on after the daemon was told to end",
    ),
];
