-- Where a blob lies: `local`; `moving`, still in the local folder and due in the bucket; or `bucket`.
alter table object_keys add column tier text not null default 'local';
create index object_keys_by_tier on object_keys (tier, tenant_id, blob);

-- Objects in the bucket whose keys are destroyed and which are yet to be removed. A line outlives its tenant.
create table bucket_erasures (
    tenant_id text not null,
    blob text not null,
    constraint bucket_erasures_pk primary key (tenant_id, blob)
);

-- Audio that comes from outside, in pieces; whole, it becomes a recording. `about` says what the call was, where
-- there is none yet.
create table uploads (
    id text not null,
    tenant_id text not null,
    call_id text,
    recording_id text,
    state text not null,
    file_name text not null,
    about text not null,
    actor text not null,
    length_bytes bigint not null,
    offset_bytes bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    constraint uploads_pk primary key (id),
    constraint uploads_tenant foreign key (tenant_id) references tenants (id) on delete cascade,
    constraint uploads_call foreign key (call_id) references calls (id) on delete cascade,
    constraint uploads_recording foreign key (recording_id) references recordings (id) on delete cascade
);
create index uploads_by_time on uploads (tenant_id, expires_at);
create index uploads_by_call on uploads (call_id);
create index uploads_by_recording on uploads (recording_id);

create table upload_pieces (
    upload_id text not null,
    position bigint not null,
    tenant_id text not null,
    blob text not null,
    size_bytes bigint not null,
    constraint upload_pieces_pk primary key (upload_id, position),
    constraint upload_pieces_upload foreign key (upload_id) references uploads (id) on delete cascade
);
create index upload_pieces_by_blob on upload_pieces (blob);
