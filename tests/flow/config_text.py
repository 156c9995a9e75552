"""A configuration as Python values, written in libconfig's 1.5 dialect.

A dict is a group, a list of dicts is a list, a list of anything else is an array.
"""


def config_text(settings):
    return "".join("%s = %s;\n" % (key, _value(value, 0)) for key, value in settings.items())


def _value(value, depth):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    indent = "\t" * (depth + 1)
    if isinstance(value, dict):
        lines = ["%s%s = %s;\n" % (indent, k, _value(v, depth + 1)) for k, v in value.items()]
        return "{\n%s%s}" % ("".join(lines), "\t" * depth)
    if value and isinstance(value[0], dict):
        items = [indent + _value(item, depth + 1) for item in value]
        return "(\n%s\n%s)" % (",\n".join(items), "\t" * depth)
    return "[ %s ]" % ", ".join(_value(item, depth) for item in value)


def rule(name, action, domain_list, priority=None, **more):
    """One rule; without a priority it takes its place in the order it is written in."""
    row = {"name": name, "priority": priority, "action": action, "domain_list": domain_list}
    return {**row, **more}


def group(name, *rules):
    numbered = [
        {**r, "priority": r["priority"] if r["priority"] is not None else 10 * (i + 1)}
        for i, r in enumerate(rules)
    ]
    return {"name": name, "rules": numbered}


def inline(name, *domains):
    return {"name": name, "domains": list(domains)}
