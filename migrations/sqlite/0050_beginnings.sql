-- The words of a beginning of five or six letters stand ready too: without that the index first puts together every
-- word that begins so, in all texts, before it knows the newest. Longer beginnings are those of few words.
drop table call_document_words;
create virtual table call_document_words using fts5(said, summary, notes, content = 'call_documents',
    content_rowid = 'place', tokenize = "unicode61 remove_diacritics 2", prefix = '3 4 5 6');
insert into call_document_words (call_document_words, rank) values ('secure-delete', 1);
insert into call_document_words (call_document_words) values ('rebuild');
