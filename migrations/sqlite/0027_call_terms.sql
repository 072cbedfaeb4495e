-- The trigrams there are: what is shorter than three letters is looked for by the trigrams that begin with it.
-- For that every letter must begin one, so every text ends with two line feeds.
drop trigger call_texts_change;
update call_texts set text = text || char(10) || char(10);
create trigger call_texts_change after update of text on call_texts begin
    insert into call_words (call_words, rowid, text) values ('delete', old.place, old.text);
    insert into call_words (rowid, text) values (new.place, new.text);
end;
insert into call_words (call_words) values ('rebuild');
create virtual table call_terms using fts5vocab(call_words, 'row');
