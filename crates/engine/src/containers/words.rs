//! The words that made-up names are drawn from: a quality and a river or lake.

pub const QUALITIES: [&str; 96] = [
    "able", "agile", "amber", "ample", "apt", "arctic", "ardent", "autumn", "blithe", "bold", "brave",
    "breezy", "bright", "brisk", "bronze", "calm", "candid", "cheery", "civil", "clear", "clever",
    "coastal", "copper", "coral", "cosmic", "crimson", "crisp", "curious", "daring", "deft", "dewy",
    "eager", "early", "earnest", "exact", "fair", "fleet", "fluent", "fond", "frank", "fresh", "frosty",
    "gentle", "gilded", "glad", "golden", "grand", "hardy", "hazel", "hearty", "humble", "ivory",
    "jaunty", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lunar", "mellow", "merry", "mighty",
    "misty", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky", "polar", "proud",
    "quick", "quiet", "rapid", "ready", "robust", "rosy", "rustic", "scarlet", "serene", "silent",
    "silver", "sincere", "snowy", "solar", "spry", "stable", "steady", "sunny", "swift", "tidy",
    "vivid", "warm", "zesty",
];

pub const WATERS: [&str; 96] = [
    "aare", "adige", "albert", "aldan", "allier", "amazon", "amur", "angara", "arno", "baikal", "bann",
    "biwa", "chad", "chari", "clyde", "como", "congo", "constance", "danube", "darling", "dnieper",
    "dniester", "don", "dordogne", "douro", "drava", "ebro", "elbe", "ems", "erie", "euphrates", "fly",
    "fraser", "gambia", "ganges", "garda", "garonne", "geneva", "gironde", "havel", "huron", "indus",
    "inn", "irtysh", "isar", "jordan", "kama", "kasai", "kemi", "kivu", "kura", "ladoga", "lena",
    "limpopo", "loire", "main", "marne", "mekong", "meuse", "mississippi", "mosel", "murray", "narva",
    "neckar", "neva", "niger", "nile", "oder", "ohio", "oka", "onega", "orange", "orinoco", "oslava",
    "parana", "pechora", "piave", "po", "potomac", "rhine", "rhone", "ruhr", "sava", "seine", "severn",
    "shannon", "spree", "tagus", "tarn", "thames", "tiber", "titicaca", "ural", "vistula", "volga",
    "yukon",
];
