// saga dlq: what services gave up on, and what is to become of it.
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/dlq_action.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/schemas.hpp"
#include "saga/cli/words.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;

struct Given {
    std::vector<std::string> services;
    std::string id, reason;
    bool all = false, wide = false;
};

ordered_json json_of(const Letter& letter) {
    ordered_json json{
        {"id", letter.name()},         {"service", letter.service}, {"saga", letter.saga},
        {"what", letter.what},         {"step", letter.step},       {"event", letter.event},
        {"event_id", letter.event_id}, {"state", letter.state},     {"attempts", letter.attempts},
        {"blocks", letter.blocks},     {"reason", letter.reason}};
    if (!letter.subject.empty()) json["subject"] = letter.subject;
    if (!letter.next_at.empty()) json["next_at"] = letter.next_at;
    return json;
}

std::vector<Letter> letters(const Options& options, const Given& given) {
    const auto client = options.connect();
    const Participants participants(*client, options.timeout);
    std::vector<Letter> found;
    for (const std::string& name : chosen_services(*client, options.timeout, given.services)) {
        const auto its = participants.letters(name, given.all);
        if (its)
            found.insert(found.end(), its->begin(), its->end());
        else if (!given.services.empty())
            throw Stop(kUnreachable, fmt::format("{} does not answer: is it running?", name));
        else
            note(fmt::format("{} does not answer: what it gave up on is not known", name));
    }
    return found;
}

void ls(const Options& options, const Given& given) {
    const std::vector<Letter> found = letters(options, given);
    if (options.json) {
        auto json = ordered_json::array();
        for (const Letter& each : found) json.push_back(json_of(each));
        return out(line(json) + "\n");
    }
    Table table({"id", "state", "saga", "what", "event", ">attempts", "reason"});
    std::size_t dead = 0;
    for (const Letter& each : found) {
        dead += each.dead() ? 1 : 0;
        const auto style = each.dead() && !each.aside() ? Cell::Style::red : Cell::Style::plain;
        table.row({{each.name(), Cell::Style::bold},
                   {each.aside() ? "aside" : each.state, style},
                   each.saga.empty() ? "-" : each.saga,
                   each.step.empty() ? each.what : each.what + " " + each.step,
                   harmless(each.event.empty() ? each.subject
                                               : std::string(detail::split_type(each.event).name)),
                   std::to_string(each.attempts),
                   harmless(each.reason)});
    }
    if (!table.empty()) table.print(Paint(), given.wide);
    note(fmt::format("{}{}", count_text(dead, "dead letter"),
                     given.all ? fmt::format(", {} waiting", found.size() - dead) : ""));
    if (dead > 0) note("next: saga dlq show " + found.front().name());
}

ordered_json shown(const Options& options, const LetterId& id) {
    const auto client = options.connect();
    const auto answer =
        Participants(*client, options.timeout).ask(id.service, "letter", {{"id", id.id}});
    if (!answer || !answer->is_object())
        throw Stop(kUnreachable, fmt::format("{} does not answer: is it running?", id.service));
    const Letter letter = letter_of(id.service, *answer);
    ordered_json json = json_of(letter);
    const auto bytes = from_base64(field<std::string>(*answer, "message", ""));
    if (!bytes || bytes->empty()) return json;
    const Landscape known = landscape(*client, options.timeout);
    SchemaCache().keep(known);
    Schemas schemas;
    schemas.add(known);
    json["message"] = message_json(*bytes, schemas);
    return json;
}

void show(const Options& options, const Given& given) {
    const LetterId id = parse_letter_id(given.id);
    const ordered_json json = shown(options, id);
    if (options.json) return out(line(json) + "\n");
    const Paint paint;
    for (const auto& [key, value] : json.items()) {
        if (key == "message") continue;
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (!text.empty())
            out(fmt::format("{} {}\n", paint.dim(fmt::format("{:<9}", key)), harmless(text)));
    }
    if (json.contains("message")) {
        out(paint.dim("message") + "\n");
        out(json["message"].dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n");
    }
    const bool dead = json["state"] == "dead";
    if (!dead) return;
    note(fmt::format("next: saga dlq retry {} --reason '…'   try it again", given.id));
    note(fmt::format("      saga dlq skip {} --reason '…'    never do it, go on behind it",
                     given.id));
    note(fmt::format("      saga dlq drop {} --reason '…'    never do it, nor what waits behind it",
                     given.id));
}

void act(const Options& options, const Given& given, const std::string& verb) {
    const LetterId id = parse_letter_id(given.id);
    if (verb != "retry")
        confirm(options, fmt::format("{} {}? It will never be done.", verb, given.id));
    const auto client = options.connect();
    const ActionResult result =
        act(Participants(*client, options.timeout), id, verb, given.reason, options.timeout);
    if (options.json)
        out(line({{"id", given.id},
                  {"action", verb},
                  {"done", result.code == kOk},
                  {"saga", result.saga},
                  {"result", result.text}}) +
            "\n");
    else if (result.code == kOk)
        out(harmless(result.text) + "\n");
    if (result.code != kOk) throw Stop(result.code, options.json ? "" : harmless(result.text));
    if (!result.saga.empty()) note("next: saga trace " + result.saga);
}

void add_action(Command& dlq, Options& options, const std::string& verb, const std::string& help) {
    auto given = std::make_shared<Given>();
    Command command = dlq.command(verb, help);
    command.footer(
        fmt::format("Examples:\n"
                    "  saga dlq {0} payment/17 --reason 'the bank is back'\n"
                    "  saga dlq {0} payment/aside-3 --reason 'junk of a test' --force",
                    verb));
    command.argument("id", given->id, "as saga dlq ls shows it").required();
    command.option("--reason", given->reason, "why; it stands in the stream for good")
        .required()
        .type("TEXT");
    command.runs([&options, given, verb] { act(options, *given, verb); });
}

}  // namespace

void add_dlq(Command& tool, Options& options) {
    Command dlq = tool.command("dlq", "What services gave up on: look, retry, skip, drop");
    dlq.group("Act");
    dlq.requires_command();
    dlq.footer(
        "Examples:\n"
        "  saga dlq ls\n"
        "  saga dlq show payment/17\n"
        "  saga dlq retry payment/17 --reason 'the bank is back'");

    auto given = std::make_shared<Given>();
    Command list = dlq.command("ls", "All dead letters, or those of some services");
    list.footer("Examples:\n  saga dlq ls\n  saga dlq ls payment --all\n  saga dlq ls --json");
    list.argument("service", given->services, "these; otherwise all that are known");
    list.flag("-a,--all", given->all, "also what waits for its next attempt by itself");
    list.flag("-w,--wide", given->wide, "do not cut off at the terminal's edge");
    list.runs([&options, given] { ls(options, *given); });

    auto one = std::make_shared<Given>();
    Command look = dlq.command("show", "One of them, with its message decoded");
    look.footer("Examples:\n  saga dlq show payment/17\n  saga dlq show payment/aside-3 --json");
    look.argument("id", one->id, "as saga dlq ls shows it").required();
    look.runs([&options, one] { show(options, *one); });

    add_action(dlq, options, "retry", "Try it again, and wait for what comes of it");
    add_action(dlq, options, "skip", "Never do it; what waits behind it goes on");
    add_action(dlq, options, "drop", "Never do it, nor what waits behind it");
}

}  // namespace saga::cli
