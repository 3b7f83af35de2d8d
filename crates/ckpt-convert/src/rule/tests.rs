use super::*;

#[test]
fn renames_work_one_after_the_other() {
    let mut rules = Rules::default();
    rules.add_rename(r"^model\.=").unwrap();
    rules.add_rename(r"layers\.(\d+)=\1.layer").unwrap();
    rules.add_rename("=suffix=x").unwrap_err();
    assert_eq!(rules.rename("model.layers.12.bias"), "12.layer.bias");
}

#[test]
fn names_do_not_grow_without_bounds() {
    let mut rules = Rules::default();
    for _ in 0..100 {
        rules.add_rename("a=aaaa").unwrap();
    }
    assert!(rules.rename("a").len() <= 4 * LONGEST_NAME);
}

#[test]
fn renames_that_name_no_group_are_refused() {
    let mut rules = Rules::default();
    for (rule, says) in [
        (r"layers\.(\d+)\.=layer_$1_", r#"no group "1_" (for group 1 and then "_", write ${1}_)"#),
        (r"(a)=\2", r#"no group "2""#),
        ("a=${1}", r#"no group "1""#),
        ("(?<n>a)=$name", r#"no group "name" (write $$ for a dollar sign)"#),
        ("a=${", ""),
    ] {
        match rules.add_rename(rule) {
            Err(error) => assert!(error.to_string().contains(says), "{error}"),
            Ok(()) => assert_eq!(says, "", "{rule}"),
        }
    }
    let entry = r#"{"rename": [{"pattern": "a", "replacement": "$b"}]}"#;
    rules.add_text(entry, true).unwrap_err();

    let mut rules = Rules::default();
    rules.add_rename(r"(?<n>\d)\.(b)=\0${1}_$n-$2$$x$").unwrap();
    assert_eq!(rules.rename("a.1.b"), "a.1.b1_1-b$x$");
}

#[test]
fn the_first_type_rule_decides() {
    let mut rules = Rules::default();
    rules.add_dtype("norm=f32").unwrap();
    rules.add_dtype("weight=float16").unwrap();
    rules.add_dtype("bias=keep").unwrap();
    assert_eq!(rules.dtype("norm.weight"), Some(FloatTarget::To(DType::F32)));
    assert_eq!(rules.dtype("q.weight"), Some(FloatTarget::To(DType::F16)));
    assert_eq!(rules.dtype("q.bias"), Some(FloatTarget::Keep));
    assert_eq!(rules.dtype("sinks"), None);
}

#[test]
fn dropping_beats_including() {
    let mut rules = Rules::default();
    assert!(rules.takes("anything"));
    rules.add_include("mlp").unwrap();
    rules.add_drop("bias").unwrap();
    assert!(rules.takes("mlp.weight"));
    assert!(!rules.takes("mlp.bias"));
    assert!(!rules.takes("attn.weight"));
}

#[test]
fn toml_and_json_say_the_same() {
    let mut toml = Rules::default();
    toml.add_text(
        "include = ['a']\ndrop = ['b']\n[[rename]]\npattern = 'c'\nreplacement = 'd'\n\
         [[dtype]]\npattern = 'e'\ndtype = 'bf16'\n",
        false,
    )
    .unwrap();
    let mut json = Rules::default();
    json.add_text(
        r#"{"include": ["a"], "drop": ["b"], "rename": [{"pattern": "c", "replacement": "d"}],
            "dtype": [{"pattern": "e", "dtype": "bf16"}]}"#,
        true,
    )
    .unwrap();
    assert_eq!(toml.describe(), json.describe());
    assert_eq!(toml.describe().len(), 4);
}

#[test]
fn bad_rules_say_what_is_wrong() {
    let mut rules = Rules::default();
    for (error, says) in [
        (rules.add_dtype("norm").unwrap_err(), "expected REGEX=DTYPE"),
        (rules.add_dtype("norm=int4").unwrap_err(), "\"int4\" is not one of f32, bf16, f16, f64, "),
        (rules.add_dtype("norm=u8").unwrap_err(), "\"u8\" is not one of f32, bf16, f16, f64, "),
        (rules.add_rename("norm").unwrap_err(), "expected REGEX=REPLACEMENT"),
        (rules.add_rename("(=x").unwrap_err(), "unclosed group"),
        (rules.add_text("include = 'x'", false).unwrap_err(), "expected a sequence"),
        (rules.add_text("includes = []", false).unwrap_err(), "unknown field"),
        (rules.add_text("{", true).unwrap_err(), "EOF"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn every_type_that_the_message_names_is_accepted() {
    for name in ACCEPTED.split(", ") {
        let target: FloatTarget = name.parse().unwrap();
        assert_eq!(target.to_string(), name);
    }
    for other in ["f4", "f8_e8m0", "i32", "c64", "bool", ""] {
        other.parse::<FloatTarget>().unwrap_err();
    }
}
