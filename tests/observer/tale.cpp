#include "tests/observer/tale.hpp"

#include <cstring>
#include <functional>
#include <map>

#include "saga/core/envelope.hpp"
#include "saga/runtime/contract_json.hpp"
#include "tests/landscape/landscape.hpp"

namespace saga::testing {
namespace {

struct Word {
    const char *type, *service, *step;
    Kind kind = Kind::done;
    const char* because = "";
};
const std::map<std::string, Word> kWords{
    {"asked", {"test.asker.Asked", "asker", "ask"}},
    {"granted", {"test.granter.Granted", "granter", "grant"}},
    {"denied", {"test.granter.Denied", "granter", "grant", Kind::failed}},
    {"checked", {"test.auditor.Checked", "auditor", "check"}},
    {"rejected", {"test.auditor.Rejected", "auditor", "check", Kind::failed}},
    {"revoked", {"test.granter.Revoked", "granter", "grant", Kind::undone, "Rejected"}},
    {"closed", {"test.asker.Closed", "asker", "close", Kind::ended}},
    {"gave_up", {"test.asker.GaveUp", "asker", "give_up", Kind::ended, "Rejected"}}};

/// The same event has the same id, however often it is told.
EventId id_of(const std::string& saga, const std::string& word) {
    EventId id;
    const std::uint64_t hash = std::hash<std::string>{}(saga + " " + word) | 1;
    std::memcpy(id.bytes.data(), &hash, sizeof(hash));
    return id;
}

}  // namespace

Time began(std::uint64_t seq) {
    return Time(std::chrono::seconds(1'700'000'000 + seq));
}

bus::StoredMessage told(const std::string& saga, const std::string& word, std::uint64_t seq) {
    const Word& what = kWords.at(word);
    const std::vector<std::byte> payload(8);
    const core::Envelope envelope{.id = id_of(saga, word),
                                  .type = what.type,
                                  .saga = saga,
                                  .started = began(std::hash<std::string>{}(saga) % 1000),
                                  .cause = word == "asked" ? EventId{} : id_of(saga, "asked"),
                                  .source = what.service,
                                  .time = began(1000 + seq),
                                  .kind = what.kind,
                                  .step = what.step,
                                  .because = what.because,
                                  .payload = payload};
    return {{}, core::encode(envelope), seq, core::StoreTime(began(1000 + seq))};
}

view::Landscape small_landscape() {
    view::Landscape all;
    for (const Service& service : {asker(), granter(), auditor()})
        all.add(service.contract().service, runtime::contract_json(service.contract()));
    return all;
}

Tale& Tale::tell(const std::string& saga, const std::vector<std::string>& words) {
    for (const std::string& word : words) messages_.push_back(told(saga, word, last() + 1));
    return *this;
}

Tale& Tale::junk() {
    messages_.push_back(
        {{}, std::vector<std::byte>(40), last() + 1, core::StoreTime(began(1000 + last()))});
    return *this;
}

}  // namespace saga::testing
