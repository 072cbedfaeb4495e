//! Google's Gemini: `generateContent` with text or inline audio, and `embedContent`.

use super::{Dialect, Garbage, Heard, Request, Sound, Tokens};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_model::speech::{Segment, Sentiment};

/// What is asked of audio.
const LISTEN: &str = "Transcribe this recording of one speaker of a telephone call word for word. Answer with JSON \
     only: {\"language\": ISO 639-1 code, \"segments\": [{\"start\": seconds, \"end\": seconds, \"text\": what was \
     said}]}. When nobody speaks, segments is empty. Add nothing that was not said.";

/// What the models are called.
#[derive(Debug, Clone)]
pub(super) struct Gemini {
    pub(super) chat: String,
    pub(super) audio: String,
    pub(super) embedding: String,
}

#[derive(Deserialize)]
struct Generated {
    candidates: Vec<Candidate>,
    #[serde(default, rename = "usageMetadata")]
    usage: Usage,
}

#[derive(Deserialize)]
struct Candidate {
    content: Content,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default)]
    prompt_token_count: i64,
    #[serde(default)]
    candidates_token_count: i64,
}

#[derive(Deserialize)]
struct Listened {
    #[serde(default)]
    language: Option<String>,
    segments: Vec<Stretch>,
}

#[derive(Deserialize)]
struct Stretch {
    start: f64,
    end: f64,
    text: String,
}

#[derive(Deserialize)]
struct Embedded {
    embeddings: Vec<Values>,
}

#[derive(Deserialize)]
struct Values {
    values: Vec<f32>,
}

fn request(model: &str, verb: &str, body: &Value) -> Request {
    Request {
        path: format!("/v1beta/models/{model}:{verb}"),
        key_header: ("x-goog-api-key", ""),
        content_type: "application/json".to_owned(),
        body: body.to_string().into_bytes(),
    }
}

fn generate(model: &str, rules: Option<&str>, parts: &Value) -> Request {
    let mut body = json!({
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {"temperature": 0, "responseMimeType": "application/json"},
    });
    if let (Some(rules), Some(fields)) = (rules, body.as_object_mut()) {
        fields.insert("systemInstruction".to_owned(), json!({"parts": [{"text": rules}]}));
    }
    request(model, "generateContent", &body)
}

impl Dialect for Gemini {
    fn chat(&self, rules: &str, asked: &str) -> Request {
        generate(&self.chat, Some(rules), &json!([{"text": asked}]))
    }

    fn read_chat(&self, body: &[u8]) -> Result<(String, Tokens), Garbage> {
        let made: Generated = serde_json::from_slice(body).map_err(|_| Garbage::Shape("no generated content"))?;
        let first = made
            .candidates
            .into_iter()
            .next()
            .ok_or(Garbage::Shape("no candidate"))?;
        let text: String = first.content.parts.into_iter().map(|part| part.text).collect();
        let tokens = Tokens {
            asked: made.usage.prompt_token_count,
            answered: made.usage.candidates_token_count,
        };
        Ok((text, tokens))
    }

    fn audio(&self, sound: Sound<'_>) -> Request {
        let inline = json!({"inlineData": {"mimeType": "audio/ogg", "data": BASE64.encode(sound.file)}});
        generate(&self.audio, None, &json!([{"text": LISTEN}, inline]))
    }

    fn read_audio(&self, body: &[u8], sound: Sound<'_>) -> Result<Heard, Garbage> {
        let (text, tokens) = self.read_chat(body)?;
        let heard: Listened = serde_json::from_str(&text).map_err(|_| Garbage::Shape("no segments"))?;
        let ms = |seconds: f64| ((seconds.clamp(0.0, 1e6) * 1000.0).round() as i64).min(sound.duration_ms);
        let segments = heard.segments.into_iter().map(|one| Segment {
            channel: 0,
            speaker: String::new(),
            start_ms: ms(one.start),
            end_ms: ms(one.end.max(one.start)),
            text: one.text.trim().to_owned(),
            confidence: 1.0,
            sentiment: Sentiment::Neutral,
            words: Vec::new(),
        });
        Ok(Heard {
            language: heard.language.filter(|code| code.len() == 2),
            segments: segments.filter(|one| !one.text.is_empty()).collect(),
            tokens,
        })
    }

    fn embedding(&self, texts: &[String]) -> Request {
        let model = format!("models/{}", self.embedding);
        let one = |text: &String| json!({"model": model, "content": {"parts": [{"text": text}]}});
        let all: Vec<_> = texts.iter().map(one).collect();
        request(&self.embedding, "batchEmbedContents", &json!({"requests": all}))
    }

    fn read_embedding(&self, body: &[u8], count: usize) -> Result<(Vec<Vec<f32>>, Tokens), Garbage> {
        let made: Embedded = serde_json::from_slice(body).map_err(|_| Garbage::Shape("no embeddings"))?;
        let vectors = made.embeddings.into_iter().map(|one| one.values).collect();
        super::whole(vectors, count).map(|vectors| (vectors, Tokens::default()))
    }
}
