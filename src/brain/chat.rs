//! A model's own chat template: how it was taught to be spoken to.
//!
//! Templates are Jinja, as Hugging Face and GGUF files carry them.
//!
//! This module does *not* know what is said.

use std::sync::Arc;

use minijinja::{Environment, Error, ErrorKind, context};
use serde::Serialize;

use super::error::{BrainError, Result};

/// Longest template that is read.
const MAX_TEMPLATE: usize = 1 << 16;
/// Steps that a template may take: none needs a fraction of it.
const FUEL: u64 = 1 << 20;

/// A model's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    begin: String,
    end: String,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl ChatTemplate {
    /// Reads a template; `begin` and `end` are the texts of the model's tokens for these places.
    ///
    /// # Errors
    /// It is no Jinja.
    pub fn new(source: &str, begin: &str, end: &str) -> Result<Self> {
        let wrong = |what: &dyn std::fmt::Display| {
            BrainError::Setting(format!("The model's chat template cannot be used ({what})"))
        };
        if source.len() > MAX_TEMPLATE {
            return Err(wrong(&format!("it is {} bytes long", source.len())));
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_function("raise_exception", |text: String| -> std::result::Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_template_owned("chat", source.to_owned()).map_err(|error| wrong(&error))?;
        Ok(Self { environment: Arc::new(environment), begin: begin.to_owned(), end: end.to_owned() })
    }

    /// The text that asks `question` after `instruction`, up to where the model's reply begins.
    ///
    /// # Errors
    /// The template refuses.
    pub fn write(&self, instruction: &str, question: &str) -> Result<String> {
        let wrong = |error: Error| BrainError::Setting(format!("The model's chat template cannot be used ({error})"));
        let template = self.environment.get_template("chat").map_err(wrong)?;
        let render = |messages: &[Message]| {
            let (bos_token, eos_token) = (&self.begin, &self.end);
            template.render(context! { messages, bos_token, eos_token, add_generation_prompt => true })
        };
        let (system, user) =
            (Message { role: "system", content: instruction }, Message { role: "user", content: question });
        // Some templates know no system message.
        render(&[system, user]).or_else(|_| {
            let both = format!("{instruction}\n\n{question}");
            render(&[Message { role: "user", content: &both }]).map_err(wrong)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SmolLM-Instruct's.
    const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] \
                          + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    #[test]
    fn chatml_word_for_word() {
        let text =
            ChatTemplate::new(CHATML, "<|im_start|>", "<|im_end|>").unwrap().write("Be brief.", "At (1,2)?").unwrap();
        let expected =
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nAt (1,2)?<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_template_without_a_system_message_gets_one_question() {
        let source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}";
        let text = ChatTemplate::new(source, "", "").unwrap().write("Be brief.", "Who?").unwrap();
        assert_eq!(text, "Be brief.\n\nWho?");
    }

    #[test]
    fn broken_and_endless_templates_are_refused() {
        assert!(ChatTemplate::new("{% for x in %}", "", "").is_err());
        let endless = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
        assert!(ChatTemplate::new(endless, "", "").unwrap().write("", "").is_err());
    }
}
