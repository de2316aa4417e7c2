//! A model's own chat template: how it was taught to be spoken to.
//!
//! Templates are Jinja, as Hugging Face and GGUF files carry them. What they may do is bounded: their steps, and the text
//! that they write. Not bounded is what one keeps to itself, since minijinja has no limit for it: a template that doubles a
//! variable over and over (`x ~ x`) can fill the memory. Only free replies use templates at all.
//!
//! This module does *not* know what is said.

use std::{error::Error as _, io, sync::Arc};

use minijinja::{Environment, Error, ErrorKind, context};
use serde::Serialize;

use super::error::{BrainError, Result};

/// Longest template that is read.
const MAX_TEMPLATE: usize = 1 << 16;
/// Steps that a template may take: long ones need a few thousand for two messages.
const FUEL: u64 = 1 << 15;
/// Longest text that a template may write.
const MAX_TEXT: usize = 1 << 18;

/// A model's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    /// Why it is no Jinja, if it is none: only free replies need it, and a model without them serves as well.
    environment: std::result::Result<Arc<Environment<'static>>, String>,
    begin: String,
    end: String,
}

/// What a template writes, up to a length.
#[derive(Default)]
struct Text(Vec<u8>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT {
            return Err(io::Error::other(format!("it writes more than {MAX_TEXT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a template cannot be used, and what to do.
fn wrong(what: impl std::fmt::Display) -> BrainError {
    BrainError::Setting(format!(
        "The model's chat template cannot be used ({what}): DECISION_MODE=constrained needs none"
    ))
}

fn compile(source: &str) -> std::result::Result<Environment<'static>, String> {
    if source.len() > MAX_TEMPLATE {
        return Err(format!("it is {} bytes long", source.len()));
    }
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_function("raise_exception", |text: String| -> std::result::Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, text))
    });
    environment.add_template_owned("chat", source.to_owned()).map_err(|error| error.to_string())?;
    Ok(environment)
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl ChatTemplate {
    /// Reads a template; `begin` and `end` are the texts of the model's tokens for these places. What is wrong with it is
    /// said by [`ChatTemplate::write`].
    pub fn new(source: &str, begin: &str, end: &str) -> Self {
        Self { environment: compile(source).map(Arc::new), begin: begin.to_owned(), end: end.to_owned() }
    }

    /// The text that asks `question` after `instruction`, up to where the model's reply begins.
    ///
    /// # Errors
    /// It is no Jinja, refuses, or finds no end.
    pub fn write(&self, instruction: &str, question: &str) -> Result<String> {
        let environment = self.environment.as_ref().map_err(wrong)?;
        let template = environment.get_template("chat").map_err(wrong)?;
        let render = |messages: &[Message]| {
            let (bos_token, eos_token) = (&self.begin, &self.end);
            let mut text = Text::default();
            let values = context! { messages, bos_token, eos_token, add_generation_prompt => true };
            template.render_captured_to(values, &mut text)?;
            Ok(String::from_utf8_lossy(&text.0).into_owned())
        };
        let (system, user) =
            (Message { role: "system", content: instruction }, Message { role: "user", content: question });
        // Some templates know no system message.
        render(&[system, user]).or_else(|_| {
            let both = format!("{instruction}\n\n{question}");
            // What stopped the writer stands behind the template's own words.
            let reason = |error: Error| error.source().map_or_else(|| error.to_string(), ToString::to_string);
            render(&[Message { role: "user", content: &both }]).map_err(|error| wrong(reason(error)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        brain::{Llm, LlmPlan, load_model},
        config::{DecisionMode, LoraSettings, MindSettings, ModelSettings},
    };

    /// SmolLM-Instruct's.
    const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] \
                          + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    #[test]
    fn chatml_word_for_word() {
        let text = ChatTemplate::new(CHATML, "<|im_start|>", "<|im_end|>").write("Be brief.", "At (1,2)?").unwrap();
        let expected =
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nAt (1,2)?<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_template_without_a_system_message_gets_one_question() {
        let source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}";
        let text = ChatTemplate::new(source, "", "").write("Be brief.", "Who?").unwrap();
        assert_eq!(text, "Be brief.\n\nWho?");
    }

    #[test]
    fn broken_and_endless_templates_are_refused_when_they_are_used() {
        let refusal = |source: &str| ChatTemplate::new(source, "", "").write("", "").unwrap_err().to_string();
        for source in ["{% for x in %}", "{% generation %}{{ messages[0].content }}{% endgeneration %}", "{{ now() }}"]
        {
            assert!(refusal(source).starts_with("The model's chat template cannot be used ("), "{source}");
            assert!(refusal(source).ends_with("): DECISION_MODE=constrained needs none."), "{source}");
        }
        let endless = "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}";
        assert!(refusal(endless).contains("fuel"), "{}", refusal(endless));
        let wide = "{% for a in range(300) %}{{ 'x' * 1000 }}{% endfor %}";
        assert!(refusal(wide).contains("writes more than 262144 bytes"), "{}", refusal(wide));
        assert!(refusal(&" ".repeat(70_000)).contains("it is 70000 bytes long"));
    }
    #[test]
    fn a_model_with_a_broken_template_serves_where_no_template_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/llama-hf");
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            std::fs::copy(reference.join(file), folder.path().join(file)).unwrap();
        }
        std::fs::write(folder.path().join("chat_template.jinja"), "{% generation %}").unwrap();
        let think = |mode| {
            let model = ModelSettings { path: folder.path().to_string_lossy().into_owned(), ..Default::default() };
            let loaded = load_model(&model).unwrap();
            let plan = LlmPlan {
                activations: 64,
                hidden_cache: 0,
                offload: false,
                model,
                lora: LoraSettings::default(),
                mind: MindSettings { mode, ..MindSettings::default() },
                seed: 0,
                agents: 1,
                threads: 1,
                phrases: vec![" north".to_owned(), " south".to_owned()],
                instruction: String::new(),
                founder_spread: 0.0,
                keeps_genomes: false,
                inherited: None,
            };
            Llm::of(loaded, plan).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(think(DecisionMode::Constrained), Ok(()));
        let sentence = think(DecisionMode::Free).unwrap_err();
        assert!(sentence.contains("chat template cannot be used (syntax error: "), "{sentence}");
    }
}
