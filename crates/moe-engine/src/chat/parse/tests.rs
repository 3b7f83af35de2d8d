use proptest::prelude::*;

use super::*;
use crate::chat::{Channel, ContentType, Conversation, Flavor, RenderOptions};

/// A stream written as text, cut at the markers of released special tokens.
fn tokens(stream: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    while let Some(start) = rest.find("<|") {
        let end = start + rest[start..].find("|>").unwrap() + 2;
        pieces.push(Piece::Text(rest[..start].to_owned()));
        pieces.push(Piece::Special(SpecialToken::from_text(&rest[start..end]).unwrap()));
        rest = &rest[end..];
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

fn run(parser: Parser, pieces: &[Piece]) -> (Vec<Message>, Vec<EndReason>) {
    let (messages, events) = run_tokens(parser, pieces.iter().map(Token::from));
    let reasons = events.iter().filter_map(|event| match event {
        Event::MessageEnd { reason } => Some(*reason),
        _ => None,
    });
    (messages, reasons.collect())
}

/// Runs a whole stream and checks that events and messages tell the same.
fn run_tokens<'a>(
    mut parser: Parser,
    tokens: impl Iterator<Item = Token<'a>>,
) -> (Vec<Message>, Vec<Event>) {
    let mut events: Vec<Event> = tokens.flat_map(|token| parser.push(token)).collect();
    events.extend(parser.finish());
    assert_eq!(parser.finish(), []);
    let mut told: Vec<Message> = Vec::new();
    let mut open = false;
    for event in &events {
        match event {
            Event::MessageStart { header } => {
                assert!(!std::mem::replace(&mut open, true));
                told.push(Message { header: header.clone(), content: String::new() });
            }
            Event::Delta(text) => {
                assert!(open && !text.is_empty());
                told.last_mut().unwrap().content.push_str(text);
            }
            Event::MessageEnd { .. } => assert!(std::mem::replace(&mut open, false)),
        }
    }
    assert!(!open);
    let messages = parser.take_messages();
    assert_eq!(told, messages);
    (messages, events)
}

fn parse(stream: &str) -> Vec<Message> {
    run(Parser::new(), &tokens(stream)).0
}

fn bare(role: Role, content: &str) -> Message {
    Message::new(role, content)
}

#[test]
fn reasoning_and_an_answer() {
    let stream = "<|channel|>analysis<|message|>Easy.<|end|>\
        <|start|>assistant<|channel|>final<|message|>4<|return|>";
    let (messages, reasons) = run(Parser::new(), &tokens(stream));
    assert_eq!(messages, [Message::analysis("Easy."), Message::answer("4")]);
    assert_eq!(reasons, [EndReason::End, EndReason::Return]);
}

#[test]
fn tool_calls_in_every_order() {
    let call = Message::tool_call("f", "{}");
    for header in [
        "<|channel|>commentary to=functions.f <|constrain|>json",
        "<|channel|>commentary to=functions.f<|constrain|>json",
        "<|channel|>commentary to=functions.f <|constrain|> json",
        "<|channel|>commentary functions.f <|constrain|>json",
        "<|channel|>commentary <|constrain|>json to=functions.f",
        "<|constrain|>json<|channel|>commentary to=functions.f",
        " to=functions.f<|channel|>commentary <|constrain|>json",
        " to=functions.f<|channel|>commentary<|constrain|>json",
        " to=functions.f <|constrain|>json<|channel|>commentary",
        "assistant to=functions.f<|channel|> commentary\n<|constrain|>json ",
    ] {
        let (messages, reasons) =
            run(Parser::new(), &tokens(&format!("{header}<|message|>{{}}<|call|>")));
        assert_eq!(messages, std::slice::from_ref(&call), "{header}");
        assert_eq!(reasons, [EndReason::Call]);
    }
    let mut plain = call.clone();
    plain.header.content_type = Some(ContentType { name: "json".into(), constrained: false });
    for header in
        ["<|channel|>commentary to=functions.f json", " to=functions.f<|channel|>commentary json"]
    {
        assert_eq!(
            parse(&format!("{header}<|message|>{{}}<|call|>")),
            std::slice::from_ref(&plain)
        );
    }
    plain.header.recipient = None;
    assert_eq!(parse("<|channel|>commentary json<|message|>{}<|call|>"), [plain]);
}

#[test]
fn missing_message_markers() {
    let recipient = |mut message: Message, name: &str| {
        message.header.recipient = Some(name.to_owned());
        message
    };
    for (stream, expected) in [
        ("<|channel|>commentary Hello<|end|>", vec![Message::preamble("Hello")]),
        ("<|channel|>final\nHello\n you <|return|>", vec![Message::answer("Hello\n you ")]),
        ("Hello<|return|>", vec![bare(Role::Assistant, "Hello")]),
        ("Hello", vec![bare(Role::Assistant, "Hello")]),
        ("", vec![]),
        (" \n<|return|>", vec![]),
        ("assistant<|return|>", vec![]),
        ("<|return|><|return|>", vec![]),
        ("<|channel|><|return|>", vec![]),
        ("<|channel|>final<|return|>", vec![Message::answer("")]),
        ("<|start|>assistant<|start|>user<|message|>x", vec![Message::user("x")]),
        (
            "<|channel|>analysis We need<|start|>assistant<|channel|>final<|message|>x<|return|>",
            vec![Message::analysis("We need"), Message::answer("x")],
        ),
        (
            "<|channel|>commentary to=functions.f <|constrain|>json{\"a\": 1}<|call|>",
            vec![Message::tool_call("f", "{\"a\": 1}")],
        ),
        (
            "<|channel|>commentary to=functions.f {}<|call|>",
            vec![recipient(Message::preamble("{}"), "functions.f")],
        ),
        ("<|start|> to=f<|call|>", vec![recipient(bare(Role::Assistant, ""), "f")]),
    ] {
        assert_eq!(parse(stream), expected, "{stream}");
    }
}

#[test]
fn markers_out_of_place() {
    let answer = [Message::answer("ab")];
    for stream in [
        "<|channel|>final<|message|>a<|message|>b<|return|>",
        "<|channel|>final<|message|>a<|constrain|>b<|return|>",
        "<|channel|>final<|message|>a<|reserved_200000|><|startoftext|><|endofprompt|>b<|return|>",
        "<|channel|>fi<|reserved_200000|>nal<|message|>ab<|return|>",
        "<|channel|>final<|channel|>analysis<|message|>ab<|return|>",
        "<|channel|>final<|message|>ab<|return|><|end|><|return|>\n",
        "<|channel|>final<|message|>ab<|endoftext|>",
        "<|channel|>final<|message|>ab",
    ] {
        assert_eq!(parse(stream), answer, "{stream}");
    }
    let two = [Message::analysis("a"), Message::answer("b")];
    for stream in [
        "<|channel|>analysis<|message|>a<|start|>assistant<|channel|>final<|message|>b<|return|>",
        "<|channel|>analysis<|message|>a<|channel|>final<|message|>b<|return|>",
        "<|channel|>analysis<|message|>a<|end|>assistant<|channel|>final<|message|>b<|return|>",
        "<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>b<|return|>",
        "<|channel|>analysis<|message|>a<|end|>\n<|start|>assistant<|channel|>final<|message|>b",
    ] {
        assert_eq!(parse(stream), two, "{stream}");
    }
}

#[test]
fn unknown_words_are_kept() {
    let odd = &parse("<|channel|>musing to=a to=b x y<|message|>z<|end|>")[0];
    assert_eq!(odd.header.channel, Some(Channel::Other("musing".into())));
    assert_eq!(odd.header.recipient.as_deref(), Some("a"));
    assert_eq!(odd.header.content_type.as_ref().unwrap().name, "x");
    let typed = &parse("<|channel|>commentary to=f code <|constrain|>json<|message|>z<|end|>")[0];
    assert_eq!(typed.header.content_type.as_ref().unwrap().name, "code");
    let tool = &parse("<|end|><|start|>browser.search to=assistant<|message|>{}<|end|>")[0];
    assert_eq!(tool.header.role, Role::Tool("browser.search".into()));
}

#[test]
fn control_characters_part_the_words_of_a_header() {
    let odd = &parse("<|channel|>fi\u{f}nal to=\u{7f}f a\u{1}b<|message|>z<|end|>")[0];
    assert_eq!(odd.header.channel, Some(Channel::Other("fi".into())));
    assert_eq!(odd.header.recipient, None);
    assert_eq!(odd.header.content_type.as_ref().unwrap().name, "nal");
    let given = &parse("<|end|><|start|>to= x<|message|>z<|end|>")[0];
    assert_eq!(given.header.role, Role::Assistant, "no tool has the name of a part of a header");
}

#[test]
fn text_that_spells_a_marker_stays_text() {
    let pieces = [
        Piece::Special(SpecialToken::Channel),
        Piece::Text("final".into()),
        Piece::Special(SpecialToken::Message),
        Piece::Text("say <|end|> or <|return|>".into()),
        Piece::Special(SpecialToken::Return),
    ];
    let (messages, _) = run(Parser::new(), &pieces);
    assert_eq!(messages, [Message::answer("say <|end|> or <|return|>")]);
}

#[test]
fn characters_cut_by_a_marker_are_replaced_once() {
    let stream = [
        Token::Special(SpecialToken::Channel),
        Token::Bytes(b"final\xff"),
        Token::Special(SpecialToken::Message),
        Token::Bytes(b"caf\xc3"),
        Token::Bytes(b"\xa9 \xf0\x9f"),
        Token::Special(SpecialToken::End),
        Token::Bytes(b"\x99\x82"),
    ];
    let (messages, _) = run_tokens(Parser::new(), stream.into_iter());
    assert_eq!(messages[0].content, "café \u{fffd}");
    assert_eq!(messages[0].header.channel, Some(Channel::Other("final\u{fffd}".into())));
    assert_eq!(messages[1].content, "\u{fffd}\u{fffd}");
}

fn special() -> impl Strategy<Value = SpecialToken> {
    use SpecialToken as S;
    prop_oneof![
        Just(S::Start),
        Just(S::Message),
        Just(S::Channel),
        Just(S::Constrain),
        Just(S::End),
        Just(S::Return),
        Just(S::Call),
        Just(S::EndOfText),
        Just(S::StartOfText),
        Just(S::Reserved(200_010)),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "assistant",
        "user",
        "analysis",
        "final",
        "commentary",
        " to=",
        " to=functions.f",
        "json",
        " ",
        "{\"a\": 1}",
        "functions.f ",
        "é☕🙂",
        "\n",
    ]);
    prop_oneof![
        4 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..5),
        1 => "[^<|>]{0,6}".prop_map(String::into_bytes),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Special(SpecialToken),
    Bytes(Vec<u8>),
}

fn stream() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![special().prop_map(Step::Special), bytes().prop_map(Step::Bytes)];
    proptest::collection::vec(step, 0..30)
}

proptest! {
    #[test]
    fn any_stream_cut_anyhow_gives_the_same_messages(
        stream in stream(),
        sizes in proptest::collection::vec(1_usize..5, 1..8),
        between in any::<bool>(),
    ) {
        let parser = if between { Parser::between_messages() } else { Parser::new() };
        let whole = stream.iter().map(|step| match step {
            Step::Special(token) => Token::Special(*token),
            Step::Bytes(bytes) => Token::Bytes(bytes),
        });
        let mut sizes = sizes.iter().cycle();
        let mut cut = Vec::new();
        for step in &stream {
            match step {
                Step::Special(token) => cut.push(Token::Special(*token)),
                Step::Bytes(bytes) => {
                    let mut rest = bytes.as_slice();
                    while !rest.is_empty() {
                        let size = (*sizes.next().unwrap()).min(rest.len());
                        cut.push(Token::Bytes(&rest[..size]));
                        rest = &rest[size..];
                    }
                }
            }
        }
        let (messages, events) = run_tokens(parser.clone(), whole);
        let (messages_of_cut, events_of_cut) = run_tokens(parser, cut.into_iter());
        prop_assert_eq!(&messages, &messages_of_cut);
        let no_deltas = |events: Vec<Event>| -> Vec<Event> {
            events.into_iter().filter(|event| !matches!(event, Event::Delta(_))).collect()
        };
        prop_assert_eq!(no_deltas(events), no_deltas(events_of_cut));

        // A conversation goes on, whatever a model has said.
        for flavor in [Flavor::Template, Flavor::Library] {
            let options = RenderOptions { flavor, keep_reasoning: true, ..RenderOptions::default() };
            let said = messages.iter().cloned();
            let rendered = said.fold(Conversation::new(), Conversation::message).render(&options);
            prop_assert!(rendered.is_ok(), "{rendered:?}");
        }

        // The input spells no marker except as a token (`<`, `|` and `>` may come from random bytes).
        let spelled = stream.iter().any(|step| matches!(step, Step::Bytes(b) if b.contains(&b'|')));
        if !spelled {
            for message in &messages {
                prop_assert!(!message.content.contains("<|"));
                let header = format!("{:?}", message.header);
                prop_assert!(!header.contains("<|"));
            }
        }
    }
}
