-- Signalling of calls: packets as a packet capture file has them, deflated; secrets and digits are masked.
create table call_signalling (
    tenant_id text not null,
    call_id text not null,
    position bigint not null,
    at bigint not null,
    messages bigint not null,
    parties text not null,
    packets bytea not null,
    constraint call_signalling_pk primary key (call_id, position),
    constraint call_signalling_call foreign key (call_id) references calls (id) on delete cascade
);
create index call_signalling_by_time on call_signalling (tenant_id, at);
