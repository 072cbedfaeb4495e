select set_config('strowger.tenant', '*', true);
update call_tags set started_at = coalesce((select started_at from calls where calls.id = call_tags.call_id), 0);

-- What the search of the log looks through: a call's numbers, name, notes, tags and transcripts, lower case.
-- The place is the order of the log: milliseconds of the start times 2^20, and a number that tells
-- calls of one millisecond apart.
--
-- The one table of a tenant without row-level security: under it PostgreSQL may not use an index for
-- `like`. Nothing of this table is ever shown; it leads to rows of `calls`, which are bound.
create table call_texts (
    place bigint not null,
    tenant_id text not null,
    call_id text not null,
    text text not null,
    constraint call_texts_pk primary key (place),
    constraint call_texts_call_taken unique (call_id),
    constraint call_texts_call foreign key (call_id) references calls (id) on delete cascade
);
create index call_texts_by_tenant on call_texts (tenant_id, place);

insert into call_texts (place, tenant_id, call_id, text)
select started_at * 1048576 + row_number() over (partition by started_at order by id), tenant_id, id,
    lower(concat_ws(chr(10), from_number, to_number, from_name, notes,
    (select string_agg(tag, chr(10)) from call_tags where call_id = calls.id),
    (select string_agg(text, chr(10)) from transcripts where call_id = calls.id)))
from calls;

-- Part of PostgreSQL's contrib modules; without it a search reads every text.
do $$ begin
    create extension if not exists pg_trgm;
exception when others then
    raise warning 'searching the call log will be slow: %', sqlerrm;
end $$;
do $$ begin
    if exists (select 1 from pg_extension where extname = 'pg_trgm') then
        create index call_texts_by_trigram on call_texts using gin (text gin_trgm_ops);
    end if;
end $$;
