"""POST /v1/audio/speech: a text and a voice in, audio out, whole or while it is made."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import ValidationError

from harness.errors import UndecodableAudio
from harness.exchanges import Consent, Failure, Speech
from harness.gateway.answers import Answer
from harness.gateway.bodies import SpeechBody, problem_with
from harness.gateway.callers import Caller
from harness.gateway.formats import CONTENT_TYPES, AudioFormat, encoded, is_cheap
from harness.gateway.idempotency import StreamTurn
from harness.gateway.journey import Journey
from harness.gateway.parts import Parts
from harness.gateway.presets import preset_of
from harness.gateway.refusals import Refused
from harness.gateway.replies import headers_of, nobody_up, refusal_of
from harness.gateway.streams import StreamedReply
from harness.gateway.visits import Visit, respond, visit_of
from harness.speech import Operation, SpeechRequest, billed_chars

__all__ = ["speech_handler", "spoken_or_refused"]


def speech_handler(parts: Parts) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler, working with `parts`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = visit_of(request)
        caller = visit.caller = parts.callers.identify(request.headers)
        body = await _read(request, caller)
        wish, consent = _wish(parts, caller, body)
        journey = Journey(
            request_id=visit.request_id,
            arrived_at=parts.clock.now(),
            caller=caller,
            request=wish,
            consent=consent,
        )
        async with parts.limits.take(caller, chars=billed_chars(wish.text)):
            key = request.headers.get("Idempotency-Key")
            if body.streams:
                # Events and bare audio are two answers, although the same speech.
                fingerprint = f"{wish.fingerprint()}/{body.stream_format}"
                async with parts.idempotency.streaming(caller, key, fingerprint) as turn:
                    if turn.kept is not None:
                        return respond(turn.kept)
                    return await _streamed(parts, request, visit, journey, body, turn, keep=key is not None)
            answer = await parts.idempotency.once(
                caller, key, wish.fingerprint(), lambda: _whole(parts, visit, journey, body.response_format)
            )
        return respond(answer)

    return handle


async def _read(request: web.Request, caller: Caller) -> SpeechBody:
    """The body, checked."""
    content = await request.read()
    if len(content) > caller.limits.max_body_bytes:
        raise Refused(413, "body_too_large", "the body is larger than you may send")
    try:
        body = SpeechBody.model_validate_json(content)
    except ValidationError as error:
        raise problem_with(error) from None
    if len(body.input) > caller.limits.max_chars:
        said = f"input has {len(body.input)} characters; at most {caller.limits.max_chars} are taken at once"
        raise Refused(400, "text_too_long", said)
    return body


def _wish(parts: Parts, caller: Caller, body: SpeechBody) -> tuple[SpeechRequest, Consent | None]:
    name = body.voice_id
    voice, consent = preset_of(name), None
    if voice is None:
        voice, consent = parts.voices.find(caller.key, name), parts.voices.consent(caller.key, name)
    request = SpeechRequest(
        operation=Operation.GENERATE,
        text=body.input,
        language=body.language,
        voice=voice,
        instructions=body.instructions,
        response_format=body.response_format.value,
        stream=body.streams,
    )
    return request, consent


def spoken_or_refused(result: Speech | Failure | None, journey: Journey) -> Speech:
    """The speech.

    Raises:
        Refused: There is none; says what the caller may know.
    """
    if result is None:
        raise nobody_up()
    if isinstance(result, Failure):
        raise refusal_of(result, journey)
    return result


async def _whole(parts: Parts, visit: Visit, journey: Journey, audio_format: AudioFormat) -> Answer:
    visit.journey = journey
    speech = spoken_or_refused(await parts.dispatcher.answer(journey), journey)
    try:
        if is_cheap(audio_format):
            audio = encoded(speech, audio_format)
        else:
            audio = await asyncio.to_thread(encoded, speech, audio_format)
    except UndecodableAudio:
        raise nobody_up() from None
    journey.first_byte_s = parts.clock.monotonic() - visit.began_s
    headers = headers_of(journey, name=journey.calls[-1].exchange.provider)
    return Answer(status=200, body=audio, content_type=CONTENT_TYPES[audio_format], headers=headers)


async def _streamed(
    parts: Parts,
    request: web.Request,
    visit: Visit,
    journey: Journey,
    body: SpeechBody,
    turn: StreamTurn,
    *,
    keep: bool,
) -> web.StreamResponse:
    """Audio while it is made. What was sent cannot be taken back, so a failure after it cuts the answer off."""
    visit.journey = journey
    reply = StreamedReply(
        request,
        audio_format=body.response_format,
        as_events=body.stream_format == "sse",
        headers=lambda: headers_of(journey, name=journey.lane and parts.lanes.name(journey.lane)),
        first_byte=lambda: _note_first_byte(parts, visit, journey),
        clock=parts.clock,
        keep=keep,
    )
    result = await parts.dispatcher.answer(journey, sink=reply)
    if isinstance(result, Speech):
        before_s = reply.waited_s
        response = await reply.finish(result)
        journey.listener_waited_s += reply.waited_s - before_s
        turn.whole(reply.sent())
        return response
    if not reply.began:
        turn.nothing_sent()
        spoken_or_refused(result, journey)
    return reply.break_off()


def _note_first_byte(parts: Parts, visit: Visit, journey: Journey) -> None:
    journey.first_byte_s = parts.clock.monotonic() - visit.began_s
