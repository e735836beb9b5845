"""What the names of cultures are made of: where they live, particles, second names, what goes before and after."""

# The cultures that a language's persons mostly come from, each with its share; any other language has anybody's.
HOMES = {
    "en": "american 30 english 30 irish 8 scottish 4 welsh 3 latin_american 6 "
    "igbo 1 yoruba 1 hebrew 1 indian 3 punjabi 1 chinese 3 filipino 2",
    "de": "german 70 turkish 6 polish 4 russian 4 serbian 3 croatian 2 italian 2 arabic 3 albanian 2 dutch 1",
    "fr": "french 65 maghrebi 10 congolese 6 portuguese 3 vietnamese 2 basque 2 italian 2",
    "es": "spanish 45 latin_american 35 catalan 8 basque 4 romanian 2 maghrebi 3",
    "it": "italian 78 romanian 5 albanian 4 maghrebi 2",
    "pt": "portuguese 85 congolese 3 italian 3 spanish 3",
    "nl": "dutch 70 turkish 5 maghrebi 6 indonesian 3 french 3",
    "pl": "polish 85 ukrainian 8 german 2",
    "sv": "swedish 65 finnish 7 arabic 5 croatian 4 persian 3 somali 4 danish 2 norwegian 2",
    "tr": "turkish 85 arabic 5 azerbaijani 2",
    "da": "danish 90 turkish 4 arabic 4",
    "no": "norwegian 90 swedish 4 somali 3",
    "fi": "finnish 90 swedish 8 estonian 3",
    "cs": "czech 80 slovak 10 ukrainian 4 vietnamese 4",
    "sk": "slovak 80 czech 10 hungarian 8",
    "lt": "lithuanian 90 polish 6 russian 4",
    "lv": "latvian 75 russian 20",
    "et": "estonian 80 russian 18",
    "sr": "serbian 90",
    "ca": "catalan 75 spanish 20",
    "eu": "basque 80 spanish 15",
    "hu": "hungarian 95 romanian 2",
    "ro": "romanian 90 hungarian 6",
    "hr": "croatian 90 slovene 4",
    "sl": "slovene 85 croatian 10",
    "el": "greek 90 albanian 6",
    "ru": "russian 80 ukrainian 8 armenian 4 uzbek 4",
    "uk": "ukrainian 85 russian 10",
    "bg": "bulgarian 90 turkish 6",
}
ANYWHERE = 0.3  # the share of persons that come from any culture
WORD_NAMES = 0.04  # the share of a language's own persons whose name is also a word of it

FAMILY_FIRST = {"chinese", "cantonese", "taiwanese", "korean", "vietnamese", "hungarian", "japanese", "khmer"}
TWO_FAMILIES = {"spanish": 0.45, "latin_american": 0.45, "catalan": 0.4, "basque": 0.35, "portuguese": 0.4}
JOINED_FAMILIES = {"english": 0.06, "german": 0.09, "french": 0.08, "polish": 0.07, "dutch": 0.06, "swedish": 0.05}
FATHERS = {"ethiopian", "somali", "mongolian"}  # a father's given name stands where others have a family name
ALONE = {"indonesian": 0.12, "indian": 0.03, "tamil": 0.06, "afghan": 0.12, "burmese": 0.1, "pakistani": 0.03}
PARTICLES = {
    "dutch": (0.3, ("van ", "van de ", "van der ", "van den ", "de ", "ter ", "ten ", "van 't ", "Van ", "Van den ")),
    "german": (0.03, ("von ", "von der ", "vom ", "zu ", "von und zu ", "van ", "Edler von ")),
    "french": (0.06, ("de ", "du ", "de la ", "Le ", "d'", "des ", "La ", "Saint-")),
    "italian": (0.07, ("Di ", "De ", "Della ", "D'", "Lo ", "La ", "Dal ", "del ", "degli ", "Li ")),
    "spanish": (0.05, ("de ", "de la ", "del ", "de los ", "San ", "de las ")),
    "latin_american": (0.05, ("de ", "de la ", "del ", "de los ", "de León ")),
    "portuguese": (0.2, ("da ", "dos ", "de ", "do ", "das ", "da ")),
    "arabic": (0.4, ("al-", "Al-", "Al ", "El ", "el-", "bin ", "Bin ", "Ibn ", "Abu ", "Abdel", "Abd al-", "Abu-")),
    "maghrebi": (0.25, ("El ", "Ben ", "Ben", "Bou", "Aït ", "Oul", "El-", "Al ", "Ait ", "Ould ")),
    "irish": (0.08, ("O'", "Mc", "Mac", "Fitz", "Ó ", "Ní ", "O\N{RIGHT SINGLE QUOTATION MARK}", "O ")),
    "scottish": (0.15, ("Mc", "Mac")),
    "american": (0.03, ("O'", "Mc", "De", "St. ", "Van ", "De La ", "Le", "Von ", "Del ")),
    "hebrew": (0.06, ("Ben-", "Bar-", "ben ", "Ben ", "Abu ")),
    "swedish": (0.02, ("af ", "von ", "de la ")),
    "danish": (0.02, ("von ", "af ")),
    "filipino": (0.08, ("de ", "dela ", "De La ", "Dela ", "de los ", "San ", "Del ")),
    "georgian": (0.0, ("",)),
}
MIDDLE = {"english": 0.35, "american": 0.4, "spanish": 0.35, "latin_american": 0.4, "vietnamese": 0.75, "russian": 0.3}
NO_MIDDLE = {"chinese", "cantonese", "taiwanese", "korean", "japanese", "icelandic"}
VIETNAMESE_MIDDLE = {
    "f": ("Thị", "Thị", "Ngọc", "Thị Thu"),
    "m": ("Văn", "Văn", "Đức", "Hữu", "Minh", "Quang"),
}
BABY = {
    "en": ("Baby Girl", "Baby Boy", "Baby", "BG", "BB", "Babygirl", "BABY BOY", "Infant", "BabyBoy", "NB", "Twin A"),
    "de": ("Baby", "NG", "Neugeb.", "Säugling", "Kind", "Bbm."),
    "fr": ("Bébé", "BB", "NN", "Nouveau-né"),
    "es": ("RN", "Bebé", "RN de", "Hijo de", "Hija de"),
    "pt": ("RN", "RN de", "Bebé", "Bebê", "Recém-nascido"),
    "it": ("Neonato", "Neonata", "RN", "Bimbo"),
    "nl": ("Baby", "Bb", "Pasgeborene"),
    "pl": ("Noworodek", "Nw.", "Córka", "Syn"),
    "sv": ("Baby", "Flicka", "Pojke", "Nyfödd"),
    "tr": ("Bebek", "BB", "Bb"),
}
SUFFIXES = {
    "en": ("Jr.", "Jr", "III", "Sr.", "II", "IV", "jr", "Sr"),
    "de": ("jun.", "jr.", "sen.", "junior", "Jr.", "sr."),
    "pt": ("Filho", "Neto", "Júnior", "Jr.", "Sobrinho", "Junior"),
    "es": ("Jr.", "hijo", "Jr"),
    "nl": ("jr.", "sr.", "jr"),
}
ANY_PREFIX = ("DR", "DR.", "Dr.", "Dr", "PROF", "Prof.", "Prof. Dr.")
PREFIXES = {
    "en": (*ANY_PREFIX, "MR", "MRS", "MS", "Mr.", "Mrs.", "Rev."),
    "de": (*ANY_PREFIX, "HERR", "FRAU", "Herr", "Dr. med.", "PD DR.", "Frau"),
    "fr": (*ANY_PREFIX, "M.", "MME", "MLLE", "Mme", "Pr"),
    "es": (*ANY_PREFIX, "SR", "SRA", "D.", "Dña.", "Dra."),
    "it": (*ANY_PREFIX, "SIG", "SIG.RA", "Dott.", "Dott.ssa"),
    "pt": (*ANY_PREFIX, "SR", "SRA", "Dra.", "D."),
    "nl": (*ANY_PREFIX, "DHR", "MEVR", "Drs.", "Dhr."),
    "pl": (*ANY_PREFIX, "PAN", "PANI", "lek.", "dr n. med."),
}
DEGREES = ("MD", "JR", "III", "M.D.", "PhD", "SR", "II", "DO", "RT")
