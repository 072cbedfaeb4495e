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
