"""The page on which a person decides. All that comes from outside is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pocketflow_otel.runtime.nodes.approval.question import Question

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --accent: #2563eb; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 8vh auto; padding: 0 1.25rem; }
p.place { color: GrayText; margin: 0; font-size: .875rem; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: .25rem 0 1.25rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; max-height: 55vh; overflow: auto;
      white-space: pre-wrap; overflow-wrap: anywhere; font: .875rem/1.5 ui-monospace, monospace; }
label { display: block; font-size: .875rem; margin-bottom: .25rem; }
textarea { width: 100%; font: inherit; padding: .5rem; border: 1px solid var(--line); border-radius: .5rem; }
div.choices { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
button { font: inherit; padding: .5rem 1.25rem; border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; }
button:first-child { background: var(--accent); border-color: var(--accent); color: #fff; }
button:focus-visible, textarea:focus-visible, pre:focus-visible {
  outline: 3px solid var(--accent); outline-offset: 2px;
}
"""

_COMMENT: Final = (
    '<label for="comment">Comment</label><textarea id="comment" name="comment" rows="3" maxlength="10000"></textarea>'
)


def asking(question: Question, nonce: str) -> str:
    """The page with the question, what it is about, and a button for each choice.

    Args:
        question: The question.
        nonce: Lets the page's own style be used, and no other.
    """
    shown = f'<pre tabindex="0">{escape(question.shown)}</pre>' if question.shown else ""
    comment = _COMMENT if question.takes_comment else ""
    buttons = "".join(
        f'<button name="decision" value="{escape(choice)}">{escape(choice)}</button>' for choice in question.choices
    )
    form = f'<form method="post">{comment}<div class="choices">{buttons}</div></form>'
    return _page(question, nonce, f"<h1>{escape(question.prompt)}</h1>{shown}{form}")


def saying(question: Question, nonce: str, sentence: str) -> str:
    """A page with a sentence."""
    return _page(question, nonce, f"<h1>{escape(sentence)}</h1>")


def _page(question: Question, nonce: str, content: str) -> str:
    place = escape(f"{question.workflow} · {question.node}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{place}</title>'
    style = f'<style nonce="{nonce}">{_STYLE}</style>'
    return (
        f'<!doctype html><html lang="en"><head>{head}{style}</head>'
        f'<body><main><p class="place">{place}</p>{content}</main></body></html>'
    )
