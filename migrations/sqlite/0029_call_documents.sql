-- What was said in a call, what was understood of it and what was noted, as words without case and
-- accents, for looking for words. The place is that of the call's row in call_texts: the order of the log.
create table call_documents (
    place integer not null primary key,
    tenant_id text not null,
    call_id text not null,
    said text not null,
    summary text not null,
    notes text not null,
    constraint call_documents_call_taken unique (call_id),
    constraint call_documents_call foreign key (call_id) references calls (id) on delete cascade
);

create virtual table call_document_words using fts5(said, summary, notes, content = 'call_documents',
    content_rowid = 'place', tokenize = "unicode61 remove_diacritics 2", prefix = '3 4');
-- What is erased leaves the index at once, not when it is next tidied.
insert into call_document_words (call_document_words, rank) values ('secure-delete', 1);

create trigger call_documents_put after insert on call_documents begin
    insert into call_document_words (rowid, said, summary, notes)
    values (new.place, new.said, new.summary, new.notes);
end;
create trigger call_documents_change after update of said, summary, notes on call_documents begin
    insert into call_document_words (call_document_words, rowid, said, summary, notes)
    values ('delete', old.place, old.said, old.summary, old.notes);
    insert into call_document_words (rowid, said, summary, notes)
    values (new.place, new.said, new.summary, new.notes);
end;
create trigger call_documents_drop after delete on call_documents begin
    insert into call_document_words (call_document_words, rowid, said, summary, notes)
    values ('delete', old.place, old.said, old.summary, old.notes);
end;

insert into call_documents (place, tenant_id, call_id, said, summary, notes)
select t.place, t.tenant_id, t.call_id,
    coalesce((select lower(group_concat(text, ' ')) from transcripts where call_id = t.call_id), ''),
    coalesce((select lower(group_concat(json_extract(analysis, '$.summary'), ' ')) from transcripts
        where call_id = t.call_id and analysis is not null), ''),
    lower(c.notes)
from call_texts t join calls c on c.id = t.call_id
where c.notes <> '' or exists (select 1 from transcripts where call_id = t.call_id and text <> '');
