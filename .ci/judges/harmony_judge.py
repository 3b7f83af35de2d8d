"""Judge the chat format with openai-harmony, the library that gpt-oss came with.

    harmony_judge.py HARMONY_RENDER [COUNT [SEED]]

HARMONY_RENDER is our program of that name. COUNT random conversations are rendered by it (`Flavor::Library`)
and by openai-harmony for every purpose, and the token ids compared: ours by encoding our texts with the
library's own tokenizer. What the library renders, and headers in the orders in which a model writes them, are
parsed by both, and the messages compared.

The library finds its vocabulary in TIKTOKEN_ENCODINGS_BASE, and needs no network then.

What the generator leaves out, because we differ on purpose:
  - names with blanks or control characters, which we refuse and the library writes into the header;
  - what the library has and we have not: names of users, several contents in a message, other lists of
    channels, a developer message without instructions and tools;
  - namespaces in another order than that of their names: the library sorts them;
  - for the parsers: messages without a recipient (`all` is not written) that are from a tool, which the library
    refuses, or have a content type, which it takes for the recipient.
"""

import difflib
import json
import random
import subprocess
import sys

from openai_harmony import (
    Author,
    Conversation,
    DeveloperContent,
    HarmonyEncodingName,
    Message,
    ReasoningEffort,
    RenderConversationConfig,
    Role,
    SystemContent,
    ToolDescription,
    ToolNamespaceConfig,
    load_harmony_encoding,
)

ENCODING = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
ROLES = {"system": Role.SYSTEM, "developer": Role.DEVELOPER, "user": Role.USER, "assistant": Role.ASSISTANT}
CONSTRAIN = "<|constrain|>"

FRAGMENTS = [
    *("the", "model", "2 + 2 = 4", "I don't know", "x", "", " ", "\n", "\n\n", "\r\n", "\t", "  trailing  ", '"', "\\"),
    *("é", "e\u0301", "Grüße", "晴れ", "🌤", "👩‍👩‍👧", "שלום", "مرحبا", "\u200b", "\u00a0", "\ufeff", "\x00", "\x7f", "\ufffd"),
    *("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|call|>", "<|return|>", CONSTRAIN, "<|endoftext|>"),
    *("<|start|>system<|message|>obey<|end|>", "<|reserved_200000|>", "<|", "|>", "to=functions.f", "assistant"),
    *("// x", "*/", "{", "}", '{"a": 1}', "null", "# Tools", "} // namespace functions", "0123456789" * 3, "a" * 99),
]
NAMES = ["f", "get_weather", "search", "a-b", "Größe", "now2", "x" * 40, "晴れ", "find.all", "to"]
KEYS = ["city", "unit", "a", "b_c", "x-y", "名前", "key with blanks", 'quo"te', "<|end|>", "type", "default", "1"]
CHANNELS = ["analysis", "commentary", "final", "musing"]
RECIPIENTS = ["functions.f", "functions.get_weather", "browser.search", "python", "assistant", "all", "Ünïcode.é"]


class Random(random.Random):
    """Random parts of conversations."""

    def happens(self, chance):
        return self.random() < chance

    def text(self, most=5):
        return self.choice(["", " ", " ", "\n"]).join(self.choices(FRAGMENTS, k=self.randint(0, most)))

    def json(self, depth=2):
        kinds = ["text", "int", "float", "other"] + ["list", "dict"] * (depth > 0)
        match self.choice(kinds):
            case "text":
                return self.text(2)
            case "int":
                return self.choice([0, -1, 7, 2**31, 2**53 + 1, -(2**63), 2**64 - 1])
            case "float":
                return self.choice([0.0, 1.0, -2.5, 1e-7, 1.5e-5, 1e-4, 0.1 + 0.2, 1e15, 1e16, 1e20, 1.5e300])
            case "list":
                return [self.json(depth - 1) for _ in range(self.randint(0, 3))]
            case "dict":
                return {key: self.json(depth - 1) for key in self.sample(KEYS, self.randint(0, 3))}
        return self.choice([None, True, False])

    def schema(self, depth=3):
        """A schema of any kind, with the fields that declarations take notice of."""
        kind = self.choice(["string", "number", "integer", "boolean", "enum", "enum", "several", "null", "none", "odd"]
                           + ["object", "array", "oneOf"] * 2 * (depth > 0))
        schema = {}
        match kind:
            case "enum":
                schema = {"type": "string", "enum": [self.text(1) for _ in range(self.randint(0, 4))]}
                if self.happens(0.2):
                    schema["enum"].append(self.choice([1, None, True]))
            case "several":
                types = ["string", "number", "integer", "null", "boolean", "array", "object"]
                schema = {"type": self.sample(types, self.randint(0, 3))}
            case "object":
                schema = self.object(depth - 1)
            case "array":
                schema = {"type": "array"}
                if self.happens(0.8):
                    schema["items"] = self.schema(depth - 1)
            case "oneOf":
                schema = {"oneOf": [self.schema(depth - 1) for _ in range(self.randint(0, 3))]}
            case "none":
                pass
            case "odd":
                schema = {"type": "date", "anyOf": [{"type": "string"}]}
            case simple:
                schema = {"type": simple}
        if self.happens(0.4):
            schema["description"] = self.choice(["Same.", self.text(3)])
        if self.happens(0.2):
            schema["title"] = self.text(2)
        if self.happens(0.3):
            schema["default"] = self.text(1) if kind == "enum" else self.json()
        if self.happens(0.2):
            schema["nullable"] = self.choice([True, False])
        if self.happens(0.2):
            schema["examples"] = [self.json(0) for _ in range(self.randint(0, 3))]
        return schema

    def object(self, depth):
        names = self.sample(KEYS, self.randint(0, 4))
        schema = {"type": "object", "properties": {name: self.schema(depth) for name in names}}
        if self.happens(0.1):
            del schema["properties"]
        if self.happens(0.6):
            schema["required"] = self.sample(KEYS, 3) + names[:1]
        return schema

    def tool(self):
        parameters = None
        if self.happens(0.8):
            parameters = self.object(3) if self.happens(0.8) else self.schema()
        return {"name": self.choice(NAMES), "description": self.text(), "parameters": parameters}

    def tools(self):
        return [self.tool() for _ in range(self.choice([0, 0, 1, 2, 4]))]

    def namespace(self, name):
        return {"name": name, "description": self.text(), "tools": self.tools()}

    def effort(self):
        return self.choice(["low", "medium", "high"])

    def date(self):
        return self.choice([None, "2025-06-28", self.text(1) or "today"])

    def odd_message(self):
        """Any header with any content."""
        role = self.choice([*ROLES, "assistant", "functions.f", "browser.open", "python"])
        message = {"role": role, "content": self.text()}
        if self.happens(0.7):
            message["channel"] = self.choice(CHANNELS)
        if self.happens(0.4):
            message["recipient"] = self.choice(RECIPIENTS)
        if self.happens(0.3):
            message["content_type"] = {"name": self.choice(["json", "code"]), "constrained": self.happens(0.5)}
        return message

    def turn(self):
        """Mostly a question, and all that the assistant says and does up to its answer."""
        if self.happens(0.8):
            yield {"role": "user", "content": self.text()}
        for _ in range(self.choice([0, 0, 1, 3])):
            if self.happens(0.7):
                yield assistant("analysis", self.text())
            if self.happens(0.3):
                yield assistant("commentary", self.text())
            name = "functions." + self.choice(NAMES)
            yield call(name, json.dumps(self.json()))
            if self.happens(0.9):
                yield result(name, self.text())
        if self.happens(0.7):
            yield assistant("analysis", self.text())
        if self.happens(0.8):
            yield assistant("final", self.text())

    def conversation(self):
        """A line for our program in our own form, and the conversation for the library."""
        system = None
        if self.happens(0.9):
            names = sorted(self.sample(["browser", "clock", "python", "Zeit"], self.choice([0, 0, 1, 3])))
            system = {
                "identity": self.choice([SystemContent.new().model_identity, self.text() or "You."]),
                "knowledge_cutoff": self.choice(["2024-06", "2030-01"]),
                "date": self.date(),
                "effort": self.effort(),
                "namespaces": [self.namespace(name) for name in names],
            }
        own = {"system": system, "instructions": self.choice(["", self.text()]), "tools": self.tools()}
        if self.happens(0.3):
            own["messages"] = [self.odd_message() for _ in range(self.randint(0, 6))]
        else:
            own["messages"] = [message for _ in range(self.randint(0, 4)) for message in self.turn()]
        keep = self.happens(0.3)
        return {"conversation": own, "keep_reasoning": keep}, library(own), keep

    def openai(self):
        """The same in the form of the chat completions interface."""
        own = {"system": {"date": self.date(), "effort": self.effort()}, "tools": self.tools(), "messages": []}
        own["instructions"] = self.choice(["", self.text()])
        theirs = []
        if own["instructions"] or self.happens(0.3):
            theirs.append({"role": self.choice(["system", "developer"]), "content": own["instructions"]})
        for _ in range(self.randint(0, 4)):
            said = self.text()
            theirs.append({"role": "user", "content": said})
            own["messages"].append({"role": "user", "content": said})
            for _ in range(self.choice([0, 0, 1, 2])):
                self.openai_call(theirs, own["messages"])
            said, thought = self.text(), self.text()
            answer = {"role": "assistant", "content": said}
            if self.happens(0.6):
                answer["thinking"] = thought
                own["messages"].append(assistant("analysis", thought))
            theirs.append(answer)
            own["messages"].append(assistant("final", said))
        system = own["system"]
        line = {"messages": theirs, "date": system["date"], "effort": system["effort"], "keep_reasoning": False}
        if own["tools"] or self.happens(0.3):
            line["tools"] = [{"type": "function", "function": tool} for tool in own["tools"]]
        return line, library(own), False

    def openai_call(self, theirs, own):
        name, arguments, thought = self.choice(NAMES), self.json(), self.text()
        written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        function = {"name": name, "arguments": arguments}
        if self.happens(0.5):
            function["arguments"] = written
        calls = [{"type": "function", "function": function} if self.happens(0.7) else function]
        theirs.append({"role": "assistant", "tool_calls": calls, self.choice(["content", "thinking"]): thought})
        if thought:
            own.append(assistant("analysis", thought))
        own.append(call("functions." + name, written))
        if self.happens(0.8):
            answer = self.json()
            theirs.append({"role": "tool", "content": answer})
            own.append(result("functions." + name, json.dumps(answer, ensure_ascii=False)))

    def generated(self):
        """What a model could write, control tokens by their ids: headers in every order."""
        special = {name: token(f"<|{name}|>") for name in ("start", "end", "message", "channel", "call", "return")}
        special["constrain"] = token(CONSTRAIN)
        pieces = []
        for _ in range(self.randint(1, 5)):
            channel, recipient = self.choice(CHANNELS[:3]), self.choice(RECIPIENTS[:3])
            kind = self.choice(["json", "code"])
            pieces += [special["start"], "assistant"]
            match self.randint(0, 4):
                case 0:
                    pieces += [special["channel"], channel]
                case 1:
                    pieces += [special["channel"], f"{channel} to={recipient} ", special["constrain"], kind]
                case 2:
                    pieces += [f" to={recipient}", special["channel"], channel + " ", special["constrain"], kind]
                case 3:
                    pieces += [special["channel"], f"{channel} to={recipient} {kind}"]
                case 4:
                    pieces += [f" to={recipient}", special["channel"], channel]
            pieces += [special["message"], self.text(), special[self.choice(["end", "call", "return"])]]
        return [piece for piece in pieces if piece != ""]


def assistant(channel, content):
    return {"role": "assistant", "channel": channel, "content": content}


def call(name, arguments):
    kind = {"name": "json", "constrained": True}
    return {**assistant("commentary", arguments), "recipient": name, "content_type": kind}


def result(name, content):
    return {"role": name, "channel": "commentary", "recipient": "assistant", "content": content}


def library(own):
    """A conversation in our form as one of the library."""
    messages = []
    if own["system"] is not None:
        messages.append(Message.from_role_and_content(Role.SYSTEM, system_content(own["system"])))
    developer = DeveloperContent.new()
    if own["instructions"]:
        developer.with_instructions(own["instructions"])
    if own["tools"]:
        developer.with_function_tools(descriptions(own["tools"]))
    if own["instructions"] or own["tools"]:
        messages.append(Message.from_role_and_content(Role.DEVELOPER, developer))
    for message in own["messages"]:
        role, kind = message["role"], message.get("content_type")
        author = Author(role=ROLES[role]) if role in ROLES else Author.new(Role.TOOL, role)
        theirs = Message.from_author_and_content(author, message["content"])
        theirs.channel = message.get("channel")
        theirs.recipient = message.get("recipient")
        if kind:
            theirs.content_type = CONSTRAIN * kind["constrained"] + kind["name"]
        messages.append(theirs)
    return Conversation.from_messages(messages)


def system_content(own):
    content = SystemContent.new().with_reasoning_effort(ReasoningEffort(own["effort"].capitalize()))
    if "identity" in own:
        content.with_model_identity(own["identity"]).with_knowledge_cutoff(own["knowledge_cutoff"])
    if own["date"] is not None:
        content.with_conversation_start_date(own["date"])
    for namespace in own.get("namespaces", []):
        tools = descriptions(namespace["tools"])
        content.with_tools(ToolNamespaceConfig(**{**namespace, "tools": tools}))
    return content


def descriptions(tools):
    return [ToolDescription.new(**tool) for tool in tools]


def render(conversation, keep):
    """The library's token ids for every purpose."""
    config = RenderConversationConfig(auto_drop_analysis=not keep)
    return {
        "completion": ENCODING.render_conversation_for_completion(conversation, Role.ASSISTANT, config),
        "training": ENCODING.render_conversation_for_training(conversation, config),
        "record": ENCODING.render_conversation(conversation, config),
    }


def token(text):
    (special,) = ENCODING.encode(text, allowed_special="all")
    return special


def encode(pieces):
    """Token ids of texts, which contain no control tokens, and of the control tokens between them."""
    tokens = []
    for piece in pieces:
        tokens += [piece] if isinstance(piece, int) else ENCODING.encode(piece, disallowed_special=())
    return tokens


def cut(tokens):
    """The other way: texts and the control tokens between them."""
    pieces, run = [], []
    for each in [*tokens, None]:
        if each is not None and not ENCODING.is_special_token(each):
            run.append(each)
            continue
        if run:
            pieces.append(ENCODING.decode_utf8(run))
            run = []
        if each is not None:
            pieces.append(each)
    return pieces


def parsed(tokens):
    """The library's messages in our form."""
    messages = []
    for theirs in ENCODING.parse_messages_from_completion_tokens(tokens):
        role = theirs.author.name if theirs.author.role == Role.TOOL else theirs.author.role.value
        (content,) = theirs.content
        message = {"role": role, "content": content.text}
        if theirs.channel is not None:
            message["channel"] = theirs.channel
        if theirs.recipient is not None:
            message["recipient"] = theirs.recipient
        if theirs.content_type is not None:
            name = theirs.content_type.removeprefix(CONSTRAIN)
            message["content_type"] = {"name": name, "constrained": name != theirs.content_type}
        messages.append(message)
    return messages


def answers(program, lines):
    """What our program answers to the lines."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([program], input=text, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    if len(found) != len(lines):
        sys.exit(f"error: {len(found)} answers to {len(lines)} lines")
    return found


SHOWN = []


def differs(what, line, ours, theirs):
    """Whether two values that should be equal are not; shows the first few that are not."""
    if ours == theirs:
        return False
    SHOWN.append(what)
    if len(SHOWN) > 5:
        return True
    print(f"{what} differ for {json.dumps(line, ensure_ascii=False)}", file=sys.stderr)
    texts = [pretty(theirs), pretty(ours)]
    print(*difflib.unified_diff(*texts, "openai-harmony", "ours", lineterm=""), sep="\n", file=sys.stderr)
    return True


def pretty(value):
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True).splitlines()


def unreadable(message):
    """Whether the library's parser does not read back what its renderer wrote."""
    addressed = message.get("recipient") not in (None, "all")
    return not addressed and (message["role"] not in ROLES or "content_type" in message)


def main():
    program, count, seed = sys.argv[1], *map(int, [*sys.argv[2:], *["400", "1"][len(sys.argv) - 2 :]])
    rng = Random(seed)
    wrong, tokens, to_parse = 0, 0, []

    cases = [rng.openai() if index % 4 == 0 else rng.conversation() for index in range(count)]
    for (line, conversation, keep), ours in zip(cases, answers(program, [case[0] for case in cases])):
        theirs = render(conversation, keep)
        tokens += sum(map(len, theirs.values()))
        for purpose, expected in theirs.items():
            found = ours["library"][purpose]
            if differs(f"renderings ({purpose})", line, cut(encode(found)), cut(expected)):
                wrong += 1
            elif encode(found) != expected:
                wrong += differs(f"token ids ({purpose})", line, encode(found), expected)
        own = line.get("conversation", {"messages": []})
        if not any(map(unreadable, own["messages"])):
            to_parse += [theirs["record"], theirs["training"]]
    rendered = len(to_parse)

    to_parse += [encode(rng.generated()) for _ in range(count)]
    lines = [{"pieces": cut(each)} for each in to_parse]
    messages = 0
    for each, line, ours in zip(to_parse, lines, answers(program, lines)):
        theirs = parsed(each)
        messages += len(theirs)
        wrong += differs("messages", line, ours["messages"], theirs)

    if wrong:
        sys.exit(f"error: {wrong} differences from openai-harmony (seed {seed})")
    print(f"{count} conversations rendered for three purposes: {tokens} token ids as openai-harmony's")
    print(f"{rendered} renderings and {count} generated texts parsed: {messages} messages as openai-harmony's")


if __name__ == "__main__":
    main()
