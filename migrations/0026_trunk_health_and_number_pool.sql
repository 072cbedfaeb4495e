-- How a trunk answered, minute by minute: the history of its health. A week of it is kept.
create table trunk_health (
    trunk_id text not null,
    tenant_id text not null,
    -- When the minute began, milliseconds.
    minute bigint not null,
    answered bigint not null,
    missed bigint not null,
    -- The sum over the answered pings.
    latency_us bigint not null,
    constraint trunk_health_pk primary key (trunk_id, minute),
    constraint trunk_health_trunk foreign key (trunk_id) references trunks (id) on delete cascade
);
create index trunk_health_by_tenant on trunk_health (tenant_id, minute);

-- Numbers that nobody uses. One that was given up may be had by others once its quarantine is over.
create table number_pool (
    number text not null,
    free_from bigint not null,
    -- The tenant that gave it up and may have it back at once; null: nobody had it.
    given_up_by text,
    constraint number_pool_pk primary key (number)
);
create index number_pool_by_time on number_pool (free_from, number);
