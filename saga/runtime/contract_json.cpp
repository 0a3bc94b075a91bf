#include "saga/runtime/contract_json.hpp"

#include <sodium.h>

#include <nlohmann/json.hpp>
#include <set>

#include "saga/core/subject.hpp"

namespace saga::runtime {
namespace {

using nlohmann::ordered_json;

/// Collects the schemas of all types that are named.
class Writer {
  public:
    ordered_json name(detail::Type type) {
        if (!type->schema.empty()) schemas_.insert(type->schema);
        return type->full;
    }
    ordered_json names(const std::vector<detail::Type>& types) {
        ordered_json list = ordered_json::array();
        for (const detail::Type type : types) list.push_back(name(type));
        return list;
    }
    ordered_json emits(const std::vector<detail::Emits>& all) {
        ordered_json list = ordered_json::array();
        for (const detail::Emits& each : all)
            list.push_back({{"event", name(each.type)}, {"kind", core::name_of(each.kind)}});
        return list;
    }
    ordered_json step(const detail::StepCode& step) {
        constexpr std::array<std::string_view, 4> kFates{"", "undo", "pivot", "keeps"};
        ordered_json json{{"name", step.name},
                          {"on", names(step.starts_on)},
                          {"emits", emits(step.emits)},
                          {"fate", kFates.at(static_cast<std::size_t>(step.fate))},
                          {"calls", step.code.calls()}};
        if (!step.code.subject.empty()) json["calls_subject"] = step.code.subject;
        json["ends_saga"] = step.ends_saga;
        json["once_per_event"] = step.once_per_event;
        if (step.fate == detail::Fate::undo)
            json["undo"] = {{"on", names(step.undone_on)},
                            {"emits", emits(step.undone)},
                            {"calls", step.undo.calls()}};
        if (!step.undo.subject.empty()) json["undo"]["calls_subject"] = step.undo.subject;
        for (const detail::Expects& expects : step.expects)
            json["expects"].push_back({{"after_ms", expects.after.count()},
                                       {"answers", names(expects.answers)},
                                       {"asks", emits(expects.asks)}});
        return json;
    }
    ordered_json schemas() const {
        ordered_json list = ordered_json::array();
        for (const std::string_view schema : schemas_) {
            std::string text(
                sodium_base64_encoded_len(schema.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
            sodium_bin2base64(text.data(), text.size(),
                              reinterpret_cast<const unsigned char*>(schema.data()), schema.size(),
                              sodium_base64_VARIANT_ORIGINAL);
            text.pop_back();  // the terminating zero
            list.push_back(std::move(text));
        }
        return list;
    }

  private:
    std::set<std::string_view> schemas_;
};

}  // namespace

std::string contract_json(const Contract& contract) {
    Writer writer;
    ordered_json json{{"format", 1}, {"service", contract.service}};
    for (const char* list : {"steps", "reactions", "commands", "questions", "settings"})
        json[list] = ordered_json::array();
    for (const detail::StepCode& step : contract.steps) json["steps"].push_back(writer.step(step));
    for (const detail::ReactionCode& reaction : contract.reactions)
        json["reactions"].push_back(writer.name(reaction.on));
    for (const detail::CommandCode& command : contract.commands)
        json["commands"].push_back({{"verb", command.verb},
                                    {"request", writer.name(command.request)},
                                    {"accepts", writer.name(command.accepts)},
                                    {"ends_saga", command.ends_saga},
                                    {"asks_undo", command.asks_undo}});
    for (const detail::Question& question : contract.questions)
        json["questions"].push_back(question.verb);
    for (const detail::Setting& setting : contract.settings)
        json["settings"].push_back(
            {{"name", setting.name}, {"default", setting.otherwise}, {"help", setting.help}});
    json["schemas"] = writer.schemas();
    return json.dump();
}

}  // namespace saga::runtime
