// Which reports of a ledger can be compared with the entries of a bundle: what replay/comparable.py
// says.
//
// Invariant: as there, in the same order.
"use strict";

const IN_SEAT = ["capacity", "unit", "seat"];
const KNOWN = ["facet", "slot", "known_from", "since"];
const PERIOD = ["first_day", "last_day"];
const COMPARED = {
  roster: {
    lines: (basis, asked) => basis.roster(asked), keys: [["person"], ["number"]], of: [],
    maybe: ["unit", "below", "grade", "post", "category"],
  },
  headcount: { lines: (basis, asked) => basis.headcount(asked), keys: [["key"]], of: ["by"], maybe: ["unit", "below"] },
  units: { lines: (basis, asked) => basis.units(asked), keys: [["unit"]], of: [], maybe: [] },
  history: {
    lines: (basis, asked) => basis.history(asked), keys: [["position"], ["event_id"]], of: ["person"], maybe: [], alone: true,
  },
  journal: {
    lines: (basis, asked) => basis.journal(asked), keys: [["position"], ["event_id"]], of: [],
    maybe: ["types", "tags", "after", "until", "late", "corrections"],
  },
  record: { lines: record, keys: [["facet", "slot", "since"]], of: ["person"], maybe: [] },
  unit: { lines: unit, keys: [["facet", "slot", "since"]], of: ["unit"], maybe: [] },
  series: {
    lines: series, keys: [["month", "key", "grade"]], of: ["of", "first_month", "last_month"],
    maybe: ["unit"],
  },
  timeline: { lines: (basis, asked) => basis.timeline(asked), keys: [["facet", "slot", "since"]], of: ["subject"], maybe: ["facet"] },
  beliefs: { lines: beliefs, keys: [KNOWN], of: ["subject"], maybe: ["facet"] },
  compare: {
    lines: differences, keys: [["how", "facet", "slot", "person"]],
    of: ["subject", "before", "before_recorded"], maybe: [],
  },
  rectangles: { lines: rectangles, keys: [KNOWN], of: ["subject"], maybe: ["facet"] },
  chain: { lines: (basis, asked) => basis.chain(asked), keys: [["known"].concat(IN_SEAT)], of: ["person", "then"], maybe: [] },
  "chain-unit": { lines: (basis, asked) => basis.chainUnit(asked), keys: [["person"].concat(IN_SEAT)], of: [], maybe: ["unit", "below"] },
  "chain-over": {
    lines: (basis, asked) => basis.chainOver(asked), keys: [["start"].concat(IN_SEAT)], of: ["person"].concat(PERIOD), maybe: [],
  },
  "chain-officer": {
    lines: (basis, asked) => basis.chainOfficer(asked), keys: [["person", "start"].concat(IN_SEAT)], of: ["officer"].concat(PERIOD),
    maybe: [],
  },
};
