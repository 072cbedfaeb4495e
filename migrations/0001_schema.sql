-- One text for SQLite and PostgreSQL: TEXT, BIGINT and DOUBLE PRECISION only. Ids are UUIDs as text,
-- times are milliseconds since 1970 in UTC, switches are 0 or 1, structured values are JSON as text.
-- A unique constraint is named <table>_<field>_taken: the field name is shown beside the form field.

create table platform_values (
    name text not null,
    value text not null,
    constraint platform_values_pk primary key (name)
);

-- Changes with every edit of something the daemon keeps in memory.
create table directory_version (
    id bigint not null,
    version bigint not null,
    constraint directory_version_pk primary key (id)
);
insert into directory_version (id, version) values (1, 1);

create table tenants (
    id text not null,
    name text not null,
    realm text not null,
    active bigint not null,
    created_at bigint not null,
    constraint tenants_pk primary key (id),
    constraint tenants_name_taken unique (name),
    constraint tenants_realm_taken unique (realm)
);

-- A tenant's key, wrapped by the master key.
create table tenant_keys (
    tenant_id text not null,
    wrapped text not null,
    constraint tenant_keys_pk primary key (tenant_id),
    constraint tenant_keys_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

-- The keys of sealed blobs, wrapped by the tenant's key. Deleting a row makes the blob unreadable.
create table object_keys (
    tenant_id text not null,
    blob text not null,
    wrapped text not null,
    size_bytes bigint not null,
    created_at bigint not null,
    constraint object_keys_pk primary key (tenant_id, blob),
    constraint object_keys_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index object_keys_by_age on object_keys (created_at);

create table users (
    id text not null,
    tenant_id text,
    email text not null,
    name text not null,
    role text not null,
    extension text,
    active bigint not null,
    password_hash text,
    created_at bigint not null,
    constraint users_pk primary key (id),
    constraint users_email_taken unique (email),
    constraint users_extension_taken unique (tenant_id, extension),
    constraint users_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table sessions (
    id text not null,
    token_hash text not null,
    user_id text not null,
    csrf text not null,
    created_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null,
    user_agent text not null,
    source text not null,
    constraint sessions_pk primary key (id),
    constraint sessions_token_hash_taken unique (token_hash),
    constraint sessions_user foreign key (user_id) references users (id) on delete cascade
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

create table devices (
    id text not null,
    tenant_id text not null,
    user_id text not null,
    name text not null,
    username text not null,
    algorithm text not null,
    ha1 text not null,
    active bigint not null,
    created_at bigint not null,
    constraint devices_pk primary key (id),
    constraint devices_username_taken unique (username),
    constraint devices_tenant foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint devices_user foreign key (user_id) references users (id) on delete cascade
);
create index devices_by_tenant on devices (tenant_id, user_id);

create table bindings (
    device_id text not null,
    tenant_id text not null,
    contact text not null,
    source text not null,
    transport text not null,
    sip_call_id text not null,
    cseq bigint not null,
    instance text,
    user_agent text,
    expires_at bigint not null,
    constraint bindings_pk primary key (device_id, contact),
    constraint bindings_device foreign key (device_id) references devices (id) on delete cascade
);
create index bindings_by_expiry on bindings (expires_at);

create table trunks (
    id text not null,
    tenant_id text not null,
    name text not null,
    kind text not null,
    host text not null,
    port bigint not null,
    transport text not null,
    addresses text not null,
    username text,
    secret text,
    prefix text not null,
    max_calls bigint not null,
    active bigint not null,
    created_at bigint not null,
    constraint trunks_pk primary key (id),
    constraint trunks_name_taken unique (tenant_id, name),
    constraint trunks_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table numbers (
    id text not null,
    tenant_id text not null,
    number text not null,
    friendly_name text not null,
    target text,
    record bigint,
    active bigint not null,
    created_at bigint not null,
    constraint numbers_pk primary key (id),
    constraint numbers_number_taken unique (number),
    constraint numbers_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index numbers_by_tenant on numbers (tenant_id, number);

create table prompts (
    id text not null,
    tenant_id text not null,
    name text not null,
    state text not null,
    problem text,
    duration_ms bigint not null,
    source_name text not null,
    source_blob text,
    audio_blob text,
    created_at bigint not null,
    constraint prompts_pk primary key (id),
    constraint prompts_name_taken unique (tenant_id, name),
    constraint prompts_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

-- Spoken texts, rendered once: voice, language and text hashed to a key.
create table speech (
    tenant_id text not null,
    key text not null,
    blob text not null,
    created_at bigint not null,
    constraint speech_pk primary key (tenant_id, key),
    constraint speech_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table flows (
    id text not null,
    tenant_id text not null,
    name text not null,
    description text not null,
    draft text not null,
    published text,
    total_calls bigint not null,
    last_used_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    constraint flows_pk primary key (id),
    constraint flows_name_taken unique (tenant_id, name),
    constraint flows_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table flow_versions (
    id text not null,
    tenant_id text not null,
    flow_id text not null,
    number bigint not null,
    definition text not null,
    state text not null,
    problem text,
    published_by text not null,
    created_at bigint not null,
    constraint flow_versions_pk primary key (id),
    constraint flow_versions_number_taken unique (flow_id, number),
    constraint flow_versions_flow foreign key (flow_id) references flows (id) on delete cascade,
    constraint flow_versions_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index flow_versions_by_tenant on flow_versions (tenant_id, flow_id);

create table calls (
    id text not null,
    tenant_id text not null,
    user_id text,
    direction text not null,
    call_type text not null,
    state text not null,
    from_number text not null,
    from_name text,
    to_number text not null,
    started_at bigint not null,
    answered_at bigint,
    ended_at bigint,
    duration_ms bigint not null,
    cause text,
    flow_version text,
    notes text not null,
    metadata text not null,
    transcribe bigint not null,
    cost_micros bigint not null,
    currency text not null,
    constraint calls_pk primary key (id),
    constraint calls_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
-- The columns after the id are read by the figures over a span of time: they never touch the rows.
create index calls_by_time on calls
    (tenant_id, started_at, id, direction, state, answered_at, duration_ms, cost_micros);
create index calls_by_from on calls (tenant_id, from_number, started_at, id);
create index calls_by_to on calls (tenant_id, to_number, started_at, id);
create index calls_by_state on calls (tenant_id, state, started_at, id);
create index calls_by_direction on calls (tenant_id, direction, started_at, id);
create index calls_by_user on calls (tenant_id, user_id, started_at, id);
-- The calls a crash left open are looked for across tenants at every start.
create index calls_unfinished on calls (ended_at, id);

create table legs (
    id text not null,
    tenant_id text not null,
    call_id text not null,
    side text not null,
    party text not null,
    device_id text,
    trunk_id text,
    sip_call_id text not null,
    codec text,
    started_at bigint not null,
    answered_at bigint,
    ended_at bigint,
    cause text,
    quality text,
    constraint legs_pk primary key (id),
    constraint legs_call foreign key (call_id) references calls (id) on delete cascade
);
create index legs_by_call on legs (call_id, started_at);

create table call_events (
    call_id text not null,
    position bigint not null,
    tenant_id text not null,
    at bigint not null,
    kind text not null,
    leg_id text,
    detail text not null,
    constraint call_events_pk primary key (call_id, position),
    constraint call_events_call foreign key (call_id) references calls (id) on delete cascade
);

create table call_tags (
    call_id text not null,
    tag text not null,
    tenant_id text not null,
    constraint call_tags_pk primary key (call_id, tag),
    constraint call_tags_call foreign key (call_id) references calls (id) on delete cascade
);
create index call_tags_by_tag on call_tags (tenant_id, tag, call_id);

create table recordings (
    id text not null,
    tenant_id text not null,
    call_id text not null,
    capture_id text,
    state text not null,
    problem text,
    name text not null,
    description text not null,
    format text not null,
    duration_ms bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    blob text,
    peaks text not null,
    recorded_by text not null,
    held bigint not null,
    created_at bigint not null,
    constraint recordings_pk primary key (id),
    constraint recordings_call foreign key (call_id) references calls (id) on delete cascade
);
create index recordings_by_call on recordings (call_id);
create index recordings_by_time on recordings (tenant_id, created_at, id);
create index recordings_by_capture on recordings (capture_id);

create table voicemails (
    id text not null,
    tenant_id text not null,
    user_id text not null,
    call_id text not null,
    recording_id text not null,
    from_number text not null,
    to_number text not null,
    duration_ms bigint not null,
    is_read bigint not null,
    is_deleted bigint not null,
    created_at bigint not null,
    constraint voicemails_pk primary key (id),
    constraint voicemails_call foreign key (call_id) references calls (id) on delete cascade
);
create index voicemails_by_user on voicemails (tenant_id, user_id, created_at, id);
create index voicemails_by_time on voicemails (tenant_id, created_at, id);
create index voicemails_by_recording on voicemails (recording_id);

create table greetings (
    id text not null,
    tenant_id text not null,
    user_id text not null,
    name text not null,
    kind text not null,
    text text,
    state text not null,
    problem text,
    source_blob text,
    audio_blob text,
    is_default bigint not null,
    created_at bigint not null,
    constraint greetings_pk primary key (id),
    constraint greetings_user foreign key (user_id) references users (id) on delete cascade
);
create index greetings_by_user on greetings (tenant_id, user_id);

create table transcripts (
    id text not null,
    tenant_id text not null,
    recording_id text not null,
    call_id text not null,
    source text not null,
    state text not null,
    problem text,
    text text not null,
    language text,
    confidence double precision not null,
    provider text not null,
    model text not null,
    cpu_seconds double precision not null,
    audio_ms bigint not null,
    analysis text,
    segments text not null,
    created_at bigint not null,
    finished_at bigint,
    constraint transcripts_pk primary key (id),
    constraint transcripts_recording_taken unique (recording_id),
    constraint transcripts_recording foreign key (recording_id) references recordings (id) on delete cascade
);
create index transcripts_by_call on transcripts (call_id);
create index transcripts_by_time on transcripts (tenant_id, created_at, id);

create table rooms (
    id text not null,
    tenant_id text not null,
    name text not null,
    created_at bigint not null,
    constraint rooms_pk primary key (id),
    constraint rooms_name_taken unique (tenant_id, name),
    constraint rooms_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table tokens (
    id text not null,
    tenant_id text not null,
    name text not null,
    role text not null,
    secret_hash text not null,
    expires_at bigint,
    last_used_at bigint,
    created_at bigint not null,
    constraint tokens_pk primary key (id),
    constraint tokens_name_taken unique (tenant_id, name),
    constraint tokens_secret_hash_taken unique (secret_hash),
    constraint tokens_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table settings (
    tier text not null,
    owner text not null,
    tenant_id text,
    name text not null,
    value text,
    lock_kind text not null,
    constraint settings_pk primary key (tier, owner, name),
    constraint settings_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

create table notices (
    id text not null,
    tenant_id text not null,
    call_id text,
    kind text not null,
    detail text not null,
    created_at bigint not null,
    constraint notices_pk primary key (id),
    constraint notices_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index notices_by_time on notices (tenant_id, id);

create table jobs (
    id text not null,
    tenant_id text not null,
    kind text not null,
    payload text not null,
    state text not null,
    priority bigint not null,
    attempts bigint not null,
    max_attempts bigint not null,
    run_at bigint not null,
    problem text,
    worker text,
    heartbeat_at bigint,
    created_at bigint not null,
    started_at bigint,
    finished_at bigint,
    constraint jobs_pk primary key (id),
    constraint jobs_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index jobs_by_state on jobs (state, run_at);
create index jobs_by_tenant on jobs (tenant_id, created_at, id);

-- Tickets written in the transaction of the change that asks for the work; a relay hands each one to
-- the queue under its own id, so that handing it over twice makes one task.
create table outbox (
    id text not null,
    job_id text not null,
    priority bigint not null,
    run_at bigint not null,
    constraint outbox_pk primary key (id),
    constraint outbox_job foreign key (job_id) references jobs (id) on delete cascade
);

-- Each line holds the hash of the one before it in its chain: a tenant's, or the platform's.
create table audit (
    chain text not null,
    position bigint not null,
    at bigint not null,
    tenant_id text,
    actor text not null,
    action text not null,
    target text not null,
    detail text not null,
    previous text not null,
    hash text not null,
    constraint audit_pk primary key (chain, position)
);
create index audit_by_time on audit (at);

create table audit_heads (
    chain text not null,
    position bigint not null,
    hash text not null,
    constraint audit_heads_pk primary key (chain)
);
