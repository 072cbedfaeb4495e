//! Figures as people say them: digits, words for them in several languages, `double five`, `forty-two`.

use strowger_model::speech::Segment;

/// A word of a channel, in the order in which they were said.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The turn it stands in.
    pub(super) turn: usize,
    /// Which word of that turn it is.
    pub(super) at: usize,
    /// The word without signs around it, in small letters.
    pub(super) bare: String,
    /// As written.
    pub(super) text: String,
    /// The digits it stands for; empty for none.
    pub(super) digits: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// Whether its times are guessed from its turn's.
    pub(super) guessed: bool,
    /// Whether it is taken out already.
    pub(super) gone: bool,
}

/// Words that stand between digits without meaning anything: they do not end a number.
const FILLERS: [&str; 34] = [
    "and",
    "then",
    "uh",
    "um",
    "er",
    "erm",
    "hm",
    "okay",
    "ok",
    "yes",
    "dash",
    "hyphen",
    "space",
    "again",
    "next",
    "so",
    "it's",
    "is",
    "äh",
    "ähm",
    "und",
    "dann",
    "ja",
    "also",
    "strich",
    "leerzeichen",
    "nochmal",
    "euh",
    "et",
    "puis",
    "y",
    "luego",
    "e",
    "poi",
];

impl Said {
    /// Whether a number goes on over this word.
    pub(super) fn is_filler(&self) -> bool {
        !self.gone && (self.bare.is_empty() || FILLERS.contains(&self.bare.as_str()))
    }

    /// Marks it as taken out: no other number goes over it.
    pub(super) fn take(&mut self) {
        self.gone = true;
        self.digits.clear();
    }
}

type Digits = [&'static [&'static str]; 10];

const ENGLISH: Digits = [
    &["zero", "oh", "o", "nought"],
    &["one"],
    &["two"],
    &["three"],
    &["four"],
    &["five"],
    &["six"],
    &["seven"],
    &["eight"],
    &["nine"],
];
const GERMAN: Digits = [
    &["null"],
    &["eins", "ein"],
    &["zwei", "zwo"],
    &["drei"],
    &["vier"],
    &["fünf"],
    &["sechs"],
    &["sieben"],
    &["acht"],
    &["neun"],
];
const FRENCH: Digits = [
    &["zéro"],
    &["un", "une"],
    &["deux"],
    &["trois"],
    &["quatre"],
    &["cinq"],
    &["six"],
    &["sept"],
    &["huit"],
    &["neuf"],
];
const SPANISH: Digits = [
    &["cero"],
    &["uno", "un"],
    &["dos"],
    &["tres"],
    &["cuatro"],
    &["cinco"],
    &["seis"],
    &["siete"],
    &["ocho"],
    &["nueve"],
];
const ITALIAN: Digits = [
    &["zero"],
    &["uno"],
    &["due"],
    &["tre"],
    &["quattro"],
    &["cinque"],
    &["sei"],
    &["sette"],
    &["otto"],
    &["nove"],
];
const PORTUGUESE: Digits = [
    &["zero"],
    &["um", "uma"],
    &["dois", "duas"],
    &["três"],
    &["quatro"],
    &["cinco"],
    &["seis", "meia"],
    &["sete"],
    &["oito"],
    &["nove"],
];
const DUTCH: Digits = [
    &["nul"],
    &["een", "één"],
    &["twee"],
    &["drie"],
    &["vier"],
    &["vijf"],
    &["zes"],
    &["zeven"],
    &["acht"],
    &["negen"],
];
const LANGUAGES: [(&str, &Digits); 7] = [
    ("en", &ENGLISH),
    ("de", &GERMAN),
    ("fr", &FRENCH),
    ("es", &SPANISH),
    ("it", &ITALIAN),
    ("pt", &PORTUGUESE),
    ("nl", &DUTCH),
];

const ENGLISH_TEENS: [&str; 10] = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const GERMAN_TEENS: [&str; 10] = [
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const GERMAN_TENS: [&str; 8] = [
    "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
];

/// What a word says of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Figure {
    Digits(String),
    /// 2 to 9 tens, to which the next digit may be added.
    Tens(usize),
    /// The next digit so many times.
    Times(usize),
    None,
}

/// The words of a channel with the digits they stand for.
pub(super) fn of_channel(segments: &[Segment], channel: u8, language: Option<&str>) -> Vec<Said> {
    let mut words = Vec::new();
    for (turn, segment) in segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.channel == channel)
    {
        for (at, word) in segment.words.iter().enumerate() {
            words.push(said((turn, at), &word.text, (word.start_ms, word.end_ms), false));
        }
        if segment.words.is_empty() {
            guessed(turn, segment, &mut words);
        }
    }
    let mut figures: Vec<Figure> = words.iter().map(|word| figure(&word.bare, language)).collect();
    for at in 0..words.len() {
        let rest = figures.get_mut(at..).unwrap_or_default();
        let digits = taken(rest);
        if let Some(word) = words.get_mut(at) {
            word.digits = digits;
        }
    }
    words
}

/// The digits of the first word; what it does to the next one is done to that.
fn taken(figures: &mut [Figure]) -> String {
    let (first, rest) = match figures {
        [first, rest @ ..] => (first, rest.first_mut()),
        [] => return String::new(),
    };
    match (&*first, rest) {
        (Figure::Digits(digits), _) => digits.clone(),
        (Figure::Tens(tens), Some(Figure::Digits(unit))) if unit.len() == 1 && unit != "0" => tens.to_string(),
        (Figure::Tens(tens), _) => format!("{tens}0"),
        (Figure::Times(count), Some(Figure::Digits(digit))) if digit.len() == 1 => {
            *digit = digit.repeat(*count);
            String::new()
        }
        (Figure::Times(_) | Figure::None, _) => String::new(),
    }
}

/// A turn without words: its text's, evenly over its time.
fn guessed(turn: usize, segment: &Segment, words: &mut Vec<Said>) {
    let texts: Vec<&str> = segment.text.split_whitespace().collect();
    let count = i64::try_from(texts.len()).unwrap_or(i64::MAX).max(1);
    let length = (segment.end_ms - segment.start_ms).max(0);
    for (at, text) in texts.iter().enumerate() {
        let n = i64::try_from(at).unwrap_or(0);
        let start = segment.start_ms + length * n / count;
        words.push(said((turn, at), text, (start, start + length / count), true));
    }
}

fn said((turn, at): (usize, usize), text: &str, (start_ms, end_ms): (i64, i64), guessed: bool) -> Said {
    let is_sign = |letter: char| !letter.is_alphanumeric();
    Said {
        turn,
        at,
        bare: text.trim_matches(is_sign).to_lowercase(),
        text: text.to_owned(),
        digits: String::new(),
        start_ms,
        end_ms,
        guessed,
        gone: false,
    }
}

fn figure(bare: &str, language: Option<&str>) -> Figure {
    if bare.bytes().any(|byte| byte.is_ascii_digit()) {
        let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
        let signs = bare.chars().filter(|letter| !letter.is_ascii_digit());
        return if signs.clone().all(|letter| "-–—./, ".contains(letter)) {
            Figure::Digits(digits)
        } else {
            Figure::None
        };
    }
    match bare {
        "double" | "doppel" | "doppelte" | "doble" | "doppio" => return Figure::Times(2),
        "triple" | "treble" | "dreifach" | "dreimal" | "triplo" => return Figure::Times(3),
        _ => {}
    }
    let pieces: Vec<&str> = bare.split('-').filter(|piece| !piece.is_empty()).collect();
    if pieces.len() > 1 {
        let mut figures: Vec<Figure> = pieces.iter().map(|piece| of_word(piece, language)).collect();
        if figures.contains(&Figure::None) {
            return Figure::None;
        }
        let mut digits = String::new();
        for at in 0..figures.len() {
            digits.push_str(&taken(figures.get_mut(at..).unwrap_or_default()));
        }
        return Figure::Digits(digits);
    }
    of_word(bare, language)
}

fn of_word(word: &str, language: Option<&str>) -> Figure {
    // English words are heard in every language; an unknown or untried language may be any.
    let known = LANGUAGES.iter().any(|(code, _)| Some(*code) == language);
    let fits = |code: &str| code == "en" || !known || Some(code) == language;
    for (_, digits) in LANGUAGES.iter().filter(|(code, _)| fits(code)) {
        if let Some(value) = digits.iter().position(|names| names.contains(&word)) {
            return Figure::Digits(value.to_string());
        }
    }
    if let Some(n) = ENGLISH_TEENS.iter().position(|name| *name == word) {
        return Figure::Digits(format!("1{n}"));
    }
    if let Some(n) = ENGLISH_TENS.iter().position(|name| *name == word) {
        return Figure::Tens(n + 2);
    }
    if fits("de") {
        return german(word);
    }
    Figure::None
}

/// German says the unit first: `einundvierzig`.
fn german(word: &str) -> Figure {
    if let Some(n) = GERMAN_TEENS.iter().position(|name| *name == word) {
        return Figure::Digits(format!("1{n}"));
    }
    let word = word.replace("dreissig", "dreißig");
    if let Some(n) = GERMAN_TENS.iter().position(|name| *name == word) {
        return Figure::Digits(format!("{}0", n + 2));
    }
    let compound = GERMAN_TENS.iter().enumerate().find_map(|(n, tens)| {
        let unit = word.strip_suffix(tens)?.strip_suffix("und")?;
        let unit = GERMAN.iter().position(|names| names.contains(&unit))?;
        Some(format!("{}{unit}", n + 2))
    });
    compound.map_or(Figure::None, Figure::Digits)
}

#[cfg(test)]
mod tests {
    use super::super::tests::turn;
    use super::*;

    fn digits(text: &str, language: &str) -> String {
        let words = of_channel(&[turn(0, 0, text)], 0, Some(language));
        words.iter().map(|word| word.digits.as_str()).collect()
    }

    #[test]
    fn figures_are_read_as_they_are_said() {
        for (text, language, expected) in [
            ("oh four two one", "en", "0421"),
            ("forty two, forty, forty-two", "en", "424042"),
            ("double five triple zero nine", "en", "550009"),
            ("twelve thirty-four 5.6", "en", "123456"),
            ("null vier zwo eins", "de", "0421"),
            ("zweiundvierzig vierzig siebzehn", "de", "424017"),
            ("zéro quatre", "fr", "04"),
            ("meia dois", "pt", "62"),
            ("I have won it for you", "en", ""),
            ("B2B and 4x4", "en", ""),
        ] {
            assert_eq!(digits(text, language), expected, "{text}");
        }
        // A German "sei" is no six, an Italian one is.
        assert_eq!(digits("sei", "de"), "");
        assert_eq!(digits("sei", "it"), "6");
    }
}
