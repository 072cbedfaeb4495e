-- Programs' keys to rooms: the id is written into every token they sign, the secret is kept sealed
-- because a signature can only be checked with it. `own` marks the key with which the product signs
-- the tokens it hands out itself.
create table room_keys (
    id text not null,
    tenant_id text not null,
    name text not null,
    secret text not null,
    own bigint not null,
    last_used_at bigint,
    created_at bigint not null,
    constraint room_keys_pk primary key (id),
    constraint room_keys_name_taken unique (tenant_id, name),
    constraint room_keys_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);

-- Trunks as the LiveKit dialect knows them: `definition` is what its programs wrote, less passwords;
-- `trunk_id` is the trunk of ours that stands behind it, if one does.
create table sip_trunks (
    id text not null,
    tenant_id text not null,
    direction text not null,
    definition text not null,
    trunk_id text,
    created_at bigint not null,
    updated_at bigint not null,
    constraint sip_trunks_pk primary key (id),
    constraint sip_trunks_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index sip_trunks_by_tenant on sip_trunks (tenant_id, id);

-- Which room a call goes to: `rule` is what calls obey, `definition` is what programs wrote.
create table dispatch_rules (
    id text not null,
    tenant_id text not null,
    rule text not null,
    definition text not null,
    created_at bigint not null,
    updated_at bigint not null,
    constraint dispatch_rules_pk primary key (id),
    constraint dispatch_rules_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index dispatch_rules_by_tenant on dispatch_rules (tenant_id, id);

-- Addresses that are told what happens in rooms, and how the last telling went.
create table room_webhooks (
    id text not null,
    tenant_id text not null,
    url text not null,
    key_id text not null,
    told_at bigint,
    problem text,
    created_at bigint not null,
    constraint room_webhooks_pk primary key (id),
    constraint room_webhooks_url_taken unique (tenant_id, url),
    constraint room_webhooks_key foreign key (key_id) references room_keys (id) on delete cascade,
    constraint room_webhooks_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
