"""Whether all servers give the same answers: what costs less because it says less is no gain."""

import place  # noqa: F401: where the modules of the tests are

import dns_wire as wire
from dns_client import Udp

TYPES = {"A": wire.A, "AAAA": wire.AAAA, "HTTPS": wire.HTTPS}
LEAST_TTL_S = 3600  # of what is to stay in the cache for the run
PATIENCE_S = 5


def answer_of(port, name, rtype):
    with Udp("127.0.0.1", port) as client:
        return client.ask(wire.query(name, rtype, edns=True), PATIENCE_S)


def told(answer):
    """What must be the same everywhere."""
    if answer is None:
        return "no answer"
    records = sorted((record.type, record.rdata.hex()) for record in answer.answer)
    edns = "EDNS" if answer.opts else "no EDNS"
    return "rcode %d, %s, %s" % (answer.flags & 15, records, edns)


def differences(instances, questions):
    """Sentences about who answers these questions ("NAME TYPE") unlike the first of them."""
    for question in questions:
        name, rtype = question.split()
        answers = [answer_of(one.ports["udp"], name, TYPES[rtype]) for one in instances]
        for instance, answer in zip(instances, answers):
            if told(answer) != told(answers[0]):
                yield "%s answers %s unlike %s: %s" % (
                    instance.name, question, instances[0].name, told(answer)
                )
            elif any(record.ttl < LEAST_TTL_S for record in answer.answer):
                yield "%s: what it says of %s ends soon" % (instance.name, question)
