"""Options whose values may also come from the environment or a file of configuration, and that file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from orchestrator.errors import OrchestratorError, UsageProblem
from orchestrator.settings import CONFIG, PROFILE, Kind, Setting, Source, Value, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.configuration import Configuration

_META = __name__
_SOURCES = {Source.ENVIRONMENT: ParameterSource.ENVIRONMENT, Source.FILE: ParameterSource.DEFAULT_MAP}


@dataclass(slots=True)
class _Known:
    """What a command line has settled so far."""

    config: str | None = None
    profile: str | None = None
    read: Configuration | None = None


def _known(context: click.Context | None) -> _Known:
    context = context or click.get_current_context(silent=True)
    if context is None:
        return _Known()
    known = context.meta.setdefault(_META, _Known())
    return cast("_Known", known)


def configured(context: click.Context | None = None) -> Configuration:
    """The file of configuration that counts, read once. Raises ``PlanInvalid`` and ``UsageProblem``."""
    from orchestrator.configuration.places import configuration_of  # noqa: PLC0415 - start-up stays light

    known = _known(context)
    if known.read is None:
        known.read = configuration_of(known.config, known.profile, os.environ)
    return known.read


def named_file(context: click.Context | None = None) -> str | None:
    """What ``--config`` said."""
    return _known(context).config


def said(context: click.Context) -> dict[str, Value]:
    """What the command line said of settings, by key."""
    known = _known(context)
    given: dict[str, Value] = {CONFIG.key: known.config, PROFILE.key: known.profile}
    for option in context.command.params:
        name = option.name or ""
        if (
            isinstance(option, SettingOption)
            and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            given[option.setting.key] = context.params[name]
    return given


class SettingOption(click.Option):
    """The option of a setting. Where it was not given its value comes from the environment, or the file.

    With ``later`` it does not: what a plan or a run says comes between, and the command settles it.
    """

    def __init__(self, *arguments: Any, setting: Setting, later: bool = False, **attributes: Any) -> None:  # noqa: ANN401 - those of click
        if not later and setting.default not in (None, ""):
            attributes.setdefault("default", setting.default)
        if setting.variables:
            attributes["help"] = f"{attributes.get('help', '').rstrip('.')} [env: {setting.variables[0]}]."
        super().__init__(*arguments, **attributes)
        self.setting, self.later = setting, later

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """The value and where it came from, for click."""
        given, source = super().consume_value(ctx, cast("Mapping[str, click.Parameter]", opts))
        if source is ParameterSource.COMMANDLINE and given not in ("", ()):
            return given, source
        try:
            file = configured(ctx).get(self.setting)
        except OrchestratorError:
            if ctx.resilient_parsing:  # a prompt is no place to say why
                return given, source
            raise
        if self.later:
            return given, source
        found = settle(self.setting, environ=os.environ, file=file)
        if found.source is Source.DEFAULT:
            return given, source
        return found.value, _SOURCES[found.source]

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:  # noqa: ANN401 - as above
        """The value as the command wants it. One that came from a file or a variable is said to be of it."""
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as problem:
            if ctx.get_parameter_source(self.name or "") not in _SOURCES.values() or ctx.resilient_parsing:
                raise
            found = settle(self.setting, environ=os.environ, file=configured(ctx).get(self.setting))
            raise UsageProblem(f"{found.place}: {self.setting.key}: {problem.message}") from problem


def setting_option(
    setting: Setting,
    *names: str,
    later: bool = False,
    **attributes: Any,  # noqa: ANN401 - those of click
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option of a setting: its flag, and other ``names`` of it."""
    flag = setting.flag or ""
    if setting.kind is Kind.TRUTH:  # what a file says is taken back by a flag
        flag = f"{flag}/{flag.replace('--', '--no-')}"
    return click.option(*names, flag, cls=SettingOption, setting=setting, later=later, **attributes)


def _profiles(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    from orchestrator.configuration.places import configuration_of  # noqa: PLC0415 - when a shell asks

    del parameter
    try:
        found = configuration_of(_known(context).config, None, {CONFIG.variables[0]: _environ(CONFIG)})
    except OrchestratorError:
        return []
    return [CompletionItem(name) for name in found.profiles if name.startswith(begun)]


def _environ(setting: Setting) -> str:
    return os.environ.get(setting.variables[0], "")


def _keep(context: click.Context, parameter: click.Parameter, given: str | None) -> None:
    if given == "" and not context.resilient_parsing:
        raise click.BadParameter("it is empty; leave it out to take the usual one", context, parameter)
    if given:
        setattr(_known(context), parameter.name or "", given)


def configuration_options(*, hidden: bool) -> list[click.Option]:
    """``--config`` and ``--profile``, which a command line may say before its command or after it."""
    file = click.Option(
        ["--config"],
        metavar="FILE",
        expose_value=False,
        is_eager=True,
        hidden=hidden,
        callback=_keep,
        help=f"Read defaults from this file [env: {CONFIG.variables[0]}].",
    )
    profile = click.Option(
        ["--profile"],
        metavar="NAME",
        expose_value=False,
        is_eager=True,
        hidden=hidden,
        callback=_keep,
        shell_complete=_profiles,
        help=f"Take this profile of it [env: {PROFILE.variables[0]}].",
    )
    return [file, profile]


def with_configuration(command: click.Command) -> click.Command:
    """The command; where some of its options are settings it takes ``--config`` and ``--profile``, too."""
    for one in list(_leaves(command)):
        if any(isinstance(option, SettingOption) for option in one.params) and not any(
            option.name == PROFILE.key for option in one.params
        ):
            one.params += configuration_options(hidden=True)
    return command


def _leaves(command: click.Command) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from _leaves(one)
    else:
        yield command
