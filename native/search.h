// The search of one source: from the best scores of each step to hypotheses. The rules are those of endash.decoding.
#pragma once

#include <atomic>
#include <limits>
#include <string>
#include <vector>

#include "step.h"

namespace endash {

struct Options {
    int beam = 1, n_best = 1, no_repeat = 0;
    float length_penalty = 1;
    float prune = std::numeric_limits<float>::infinity();  // beams further than this, in nats, below the best are dropped
    bool sample = false, stream = false, shortlist = false;
    bool watched = false;  // greedy search: also what each token read
    bool scored = true;  // false: greedy search need not know its score, and takes no sum over the vocabulary
    double temperature = 1, top_p = 1;
    int top_k = 0;
};

struct Hypothesis {
    std::vector<int> tokens;
    float score = 0, normalised = 0;
    bool finished = false;
    std::vector<float> read;  // watched: (tokens and end, source positions), the mean share over the reads and their heads
};

struct Request {
    uint64_t id = 0;
    std::vector<int> source;
    std::vector<std::vector<float>> memory;  // what to read in place of a source, whose tokens then only choose a shortlist
    int memory_length = 0;
    int limit = 1;                // most tokens, end included
    std::vector<int> slots;       // how often each slot is to be written; empty for a vocabulary without
    std::vector<int> prefix;      // what each target begins with
    std::vector<double> noise;    // sampling: (n_best, limit)
    Options options;
    std::atomic<bool> cancelled{false};
};

class Search {
public:
    Search(const Model& model, std::shared_ptr<Request> request);

    const std::shared_ptr<Request> request;
    Sentence sentence;
    std::vector<Hypothesis> found;  // best first

    int candidates() const { return request->options.beam > 1 ? request->options.beam + 1 : 1; }
    // What each beam may not write next.
    void ban(std::vector<Bans>& bans) const;
    // The next beams, given the best of each beam and the log2 of the sum over all tokens; true when the search has ended.
    bool go_on(const Best& best, int first_row, const float* totals, std::vector<int>& parents);
    bool draw(const std::vector<float>& scores, int stride, const std::vector<Bans>& bans, int first_ban, std::vector<int>& parents);
    // What the one hypothesis of a search that was watched has read.
    void tell_read();
    // Tokens that every live beam and every hypothesis that may still win begin with, beyond those told before.
    std::vector<int> certain();

private:
    struct Beam {
        std::vector<int> tokens;
        std::vector<int> left;  // of each slot
        float score = 0;
        bool going = true;
    };
    bool greedy(const Best& best, int row, float total, std::vector<int>& parents);
    void write(Beam& beam, int token, float score) const;
    void end(const Beam& beam, float score, bool finished);
    void collect();
    bool done();

    const Model& model_;
    std::vector<Beam> beams_;
    mutable std::vector<std::vector<int>> banned_;  // by no_repeat, of each beam
    size_t told_ = 0;
    int ended_ = 0;
};

}  // namespace endash
