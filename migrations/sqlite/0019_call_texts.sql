update call_tags set started_at = coalesce((select started_at from calls where calls.id = call_tags.call_id), 0);

-- What the search of the log looks through: a call's numbers, name, notes, tags and transcripts, lower case.
-- The place is the order of the log: milliseconds of the start times 2^20, and a number that tells
-- calls of one millisecond apart.
create table call_texts (
    place integer not null primary key,
    tenant_id text not null,
    call_id text not null,
    text text not null,
    constraint call_texts_call_taken unique (call_id),
    constraint call_texts_call foreign key (call_id) references calls (id) on delete cascade
);

create virtual table call_words using fts5(text, content = 'call_texts', content_rowid = 'place', tokenize = 'trigram');
-- What is erased leaves the index at once, not when it is next tidied.
insert into call_words (call_words, rank) values ('secure-delete', 1);

create trigger call_texts_put after insert on call_texts begin
    insert into call_words (rowid, text) values (new.place, new.text);
end;
create trigger call_texts_change after update of text on call_texts begin
    insert into call_words (call_words, rowid, text) values ('delete', old.place, old.text);
    insert into call_words (rowid, text) values (new.place, new.text);
end;
create trigger call_texts_drop after delete on call_texts begin
    insert into call_words (call_words, rowid, text) values ('delete', old.place, old.text);
end;

insert into call_texts (place, tenant_id, call_id, text)
select started_at * 1048576 + row_number() over (partition by started_at order by id), tenant_id, id,
    lower(from_number || char(10) || to_number || char(10) || coalesce(from_name, '') || char(10) || notes || char(10)
    || coalesce((select group_concat(tag, char(10)) from call_tags where call_id = calls.id), '') || char(10)
    || coalesce((select group_concat(text, char(10)) from transcripts where call_id = calls.id), ''))
from calls;
