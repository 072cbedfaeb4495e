select set_config('strowger.tenant', '*', true);
-- What was said in a call (weight A), what was understood of it (B) and what was noted (C), as words
-- without case and accents. The place is that of the call's row in call_texts: the order of the log.
--
-- Without row-level security, as call_texts: under it PostgreSQL may not use an index for `@@`. Nothing of
-- this table is ever shown; it leads to rows of `calls` and `transcripts`, which are bound.
create table call_documents (
    place bigint not null,
    tenant_id text not null,
    call_id text not null,
    words tsvector not null,
    constraint call_documents_pk primary key (place),
    constraint call_documents_call_taken unique (call_id),
    constraint call_documents_call foreign key (call_id) references calls (id) on delete cascade
);
create index call_documents_by_tenant on call_documents (tenant_id, place);

insert into call_documents (place, tenant_id, call_id, words)
select place, tenant_id, call_id,
    setweight(to_tsvector('simple', translate(lower(said), a, b)), 'A')
    || setweight(to_tsvector('simple', translate(lower(summary), a, b)), 'B')
    || setweight(to_tsvector('simple', translate(lower(notes), a, b)), 'C')
from (select t.place, t.tenant_id, t.call_id, c.notes,
    coalesce((select left(string_agg(text, ' '), 600000) from transcripts where call_id = t.call_id), '') as said,
    coalesce((select string_agg(analysis::json ->> 'summary', ' ') from transcripts
        where call_id = t.call_id and analysis is not null), '') as summary,
    'àáâãäåçèéêëìíîïñòóôõöùúûüýÿ' as a, 'aaaaaaceeeeiiiinooooouuuuyy' as b
    from call_texts t join calls c on c.id = t.call_id
    where c.notes <> '' or exists (select 1 from transcripts where call_id = t.call_id and text <> '')) as found;

create index call_documents_by_word on call_documents using gin (words);
