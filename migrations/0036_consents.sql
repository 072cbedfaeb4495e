-- What parties of calls were told and answered before a recording began. A line stays when its call and the
-- audio are gone: it proves that the recording was allowed.
create table consents (
    call_id text not null,
    position bigint not null,
    tenant_id text not null,
    at bigint not null,
    leg_id text,
    party text not null,
    outcome text not null,
    digit text,
    text text not null,
    constraint consents_pk primary key (call_id, position),
    constraint consents_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index consents_by_time on consents (tenant_id, at, call_id, position);
create index consents_by_party on consents (tenant_id, party);
