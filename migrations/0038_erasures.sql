-- What was erased about people and numbers: the proof, which names none of them.
create table erasures (
    id text not null,
    tenant_id text not null,
    at bigint not null,
    actor text not null,
    report text not null,
    constraint erasures_pk primary key (id),
    constraint erasures_tenant foreign key (tenant_id) references tenants (id) on delete cascade
);
create index erasures_by_time on erasures (tenant_id, id);

-- A line of the audit log of which words were taken out: its hash still holds the chain together, and a later line
-- says that it was done.
alter table audit add column redacted bigint not null default 0;
